#!/usr/bin/env python3
"""Compare token ids with independent tokenizers, string by string.

usage: check_tokenizers.py ORACLE_TOKENIZE [--models FOLDER] [--strings N] [--only NAME]...

For every tokenizer the ids of N strings (default 2,500: mixed scripts, emoji, combining marks, code, white space, control
characters, digits, contractions, names of special tokens) must equal those of the Python packages `tokenizers` or
`sentencepiece`, with control tokens parsed and not parsed, and decoding must give the text back:

  smollm2     the vocabulary of SmolLM2-135M-Instruct's GGUF file, as the BPE of `tokenizers`
  gemma3      the vocabulary of Gemma 3 270M's GGUF file, as a model of `sentencepiece`
  gpt-2 ...   small byte-level vocabularies trained here with the patterns their families publish
  llama-spm   a small SentencePiece vocabulary trained here: a space put before the text, and unused pieces
  llama-unk   the same without byte tokens

The models are those that tests/fetch-models puts into the cache. Exit status: 0 when all are equal.
"""
import argparse
import io
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import unicodedata

import gguf
import sentencepiece
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
PARSE_SPECIAL = 2

# ---------------------------------------------------------------------------------------------------------- strings

WORDS = """the of and a to in is you that it he was for on are as with his they I at be this have from or one had by word
but not what all were we when your can said there use an each which she do how their if will up other about out many then
them these so some her would make like him into time has look two more write go see number no way could people my than
first water been call who oil its now find long down day did get come made may part Internationalization
antidisestablishmentarianism tokenizer GPU OpenAI JSON HTTP don't it's we're I'm you've he'd they'll DON'T IT'S WE'RE
naïve café résumé Zürich Straße ÅNGSTRÖM İstanbul ﬁne ﬀ""".split()
SCRIPTS = [
    "быстрая коричневая лиса прыгает через ленивую собаку Ёлка",
    "Ο καφέ σκύλος πηδάει πάνω από την τεμπέλα αλεπού",
    "האם אתה מדבר עברית שָׁלוֹם",
    "هل تتكلم العربية؟ مُحَمَّد ٣٤٥",
    "क्या आप हिन्दी बोलते हैं ज़िंदगी १२३",
    "คุณพูดภาษาไทยได้ไหม สวัสดีครับ ๔๕",
    "日本語を話せますか。カタカナ ひらがな がぎぐ が",
    "你会说中文吗？推理服务器，守护程序。",
    "한국어를 할 수 있습니까 각",
    "நீங்கள் தமிழ் பேசுவீர்களா కొ",
    "ქართული ენა Հայերեն ትግርኛ ᏣᎳᎩ",
    "Tiếng Việt có dấu: ế ệ ố",
]
EMOJI = ["😀", "🤖", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "1️⃣", "🧑🏿‍🚀", "☎", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𓀀𓂀"]
COMBINING = ["e\u0301", "a\u0308\u0323", "o\u0323\u0302", "\u0915\u093c", "n\u0303o", "\u1100\u1161\u11a8", "q\u0307\u0323",
             "\u0344", "\u212b", "\u2126", "Z\u0351\u036b\u0343\u036a", "\u0301", "\ufb01", "\u09c7\u09be"]
CODE = [
    "int main(void) {\n    return 0;\n}\n", "for (size_t i = 0; i < n; i++)\n\tx[i] += y[i] * 2.5e-3f;",
    "def f(x):\n    if x is None:\n        return {'a': [1, 2, 3]}\n\n\n", "SELECT * FROM t WHERE a <> 'b' -- c\n",
    "<div class=\"x\"><table><tr><td>&nbsp;</td></tr></table></div>", "#include <stdio.h>\r\n\r\n/* x */\r\n",
    "git log --oneline | head -n 10 && echo \"$HOME\"", "{\"a\":{\"b\":[null,true,-1.5e+10]}}", "a->b::c(d)!=e&&!f||g^h%i",
    "https://example.org/p?q=1&r=%20#frag", "<?xml version='1.0'?>", "\\section{x} $\\alpha_{i}^{2}$", "~~~`x`***__y__",
]
SPACES = [" ", "  ", "   ", "    ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\r", " \n ", "\n \n", "\u00a0", "\u3000", "\u2009",
          "\u200b", "\u2028", "\u0085", "\u180e", "\v", "\f", " " * 9, "\n" * 5, " " * 40, "\t" * 20, "\u2581", "\u2581\u2581"]
DIGITS = ["0", "7", "42", "123", "1234", "12345", "3.14159", "1,000,000", "2026-11-21", "0x1F", "1e10", "½", "²", "Ⅷ", "٣٤", "१२३", "１２"]
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'LL", "'D", "’s", "'ſ", "''s", " 's",
                "'", "'x", "can't've", "O'Neill", "'1s"]
SPECIALS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<unk>", "<pad>",
            "<s>", "</s>", "[INST]", "<0x41>", "<0x0A>", "<|", "|>", "<|im_", "<<|im_end|>>", "<|im_end|", "<mask>", "<user>", "<use"]
CONTROLS = [chr(c) for c in range(0, 32)] + ["\x7f", "\x80", "\x9f", "\u00ad", "\u200d", "\u200e", "\ufeff", "\ufffd", "\uffff",
                                             "\U0010ffff", "\ue000"]


def assigned_characters():
    """Characters whose properties all Unicode versions since 12 agree on."""
    ok = []
    for code in range(0x20, 0x30000):
        c = chr(code)
        if unicodedata.category(c) not in ("Cn", "Cs", "Co") and unicodedata.ucd_3_2_0.category(c) not in ("Cn",):
            ok.append(c)
    return ok


def make_strings(n, seed):
    r = random.Random(seed)
    anything = assigned_characters()
    pools = [WORDS, WORDS, [w for s in SCRIPTS for w in s.split()], SCRIPTS, EMOJI, COMBINING, CODE, SPACES, DIGITS,
             CONTRACTIONS, SPECIALS, CONTROLS]
    strings = [""] + SPACES + SPECIALS + CONTRACTIONS + CODE + SCRIPTS + EMOJI + COMBINING + DIGITS + CONTROLS
    while len(strings) < n:
        kind = r.randrange(8)
        if kind < 3:  # prose
            s = " ".join(r.choice(WORDS) for _ in range(r.randint(1, 25))) + r.choice(["", ".", "?", "!", "...", " ", "\n"])
        elif kind < 6:  # everything next to everything
            s = "".join(r.choice(r.choice(pools)) + r.choice(["", "", " "]) for _ in range(r.randint(1, 20)))
        elif kind == 6:  # any characters
            s = "".join(r.choice(anything) for _ in range(r.randint(1, 30)))
        else:  # few characters, so that rules meet
            few = r.sample(" \n\r\t'sStTlL1 2aé<|>_-.", 5)
            s = "".join(r.choice(few) for _ in range(r.randint(1, 40)))
        strings.append(s)
    return strings


# ------------------------------------------------------------------------------------------- the tokenizer under test


def ask(tool, path, strings, flags):
    request = io.BytesIO()
    for s in strings:
        data = s.encode()
        request.write(struct.pack("=II", flags, len(data)) + data)
    done = subprocess.run([tool, path], input=request.getvalue(), stdout=subprocess.PIPE, check=True)
    replies, at = [], 0
    while at < len(done.stdout):
        (n,) = struct.unpack_from("=I", done.stdout, at)
        ids = list(struct.unpack_from(f"={n}i", done.stdout, at + 4))
        at += 4 + 4 * n
        (n,) = struct.unpack_from("=I", done.stdout, at)
        replies.append((ids, done.stdout[at + 4:at + 4 + n].decode()))
        at += 4 + n
    return replies


# ---------------------------------------------------------------------------------------------------- gguf vocabularies


class Vocabulary:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        value = lambda key, other=None: reader.fields[key].contents() if key in reader.fields else other
        self.path = path
        self.tokens = value("tokenizer.ggml.tokens")
        self.types = value("tokenizer.ggml.token_type")
        self.scores = value("tokenizer.ggml.scores")
        self.merges = value("tokenizer.ggml.merges")
        self.unk = value("tokenizer.ggml.unknown_token_id", 0)
        self.add_space_prefix = value("tokenizer.ggml.add_space_prefix", True)
        self.control = {t: i for i, (t, k) in enumerate(zip(self.tokens, self.types)) if k in (CONTROL, UNKNOWN)}


def write_vocabulary(path, model, tokens, types, merges=None, scores=None, pre=None, more=()):
    w = gguf.GGUFWriter(path, "llama")
    w.add_tokenizer_model(model)
    w.add_token_list(tokens)
    w.add_token_types(types)
    if pre:
        w.add_tokenizer_pre(pre)
    if merges:
        w.add_token_merges(merges)
    if scores:
        w.add_token_scores(scores)
    for key, v in more:
        w.add_bool(key, v) if isinstance(v, bool) else w.add_uint32(key, v)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()
    return Vocabulary(path)


def splitter(names):
    """A function that cuts text at the names, leftmost and longest first, into (piece, name or None) pairs."""
    pattern = re.compile("|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))) if names else None

    def split(text):
        start = 0
        for match in pattern.finditer(text) if pattern else ():
            yield text[start:match.start()], match.group()
            start = match.end()
        yield text[start:], None

    return split


# --------------------------------------------------------------------------------------------------- byte-level BPE

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def split_regex(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])


def bytes_to_characters():
    """The byte-level alphabet: printable bytes are themselves, the others follow from U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}


PRE = {
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "smollm": lambda: pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ]),
    "llama-bpe": lambda: split_regex(LLAMA3),
    "qwen2": lambda: split_regex(QWEN2),
}


class BytePair:
    def __init__(self, vocabulary, pre):
        v = self.vocabulary = vocabulary
        merges = [tuple(m.split(" ", 1)) for m in v.merges]
        bpe = models.BPE({t: i for i, t in enumerate(v.tokens)}, merges, ignore_merges=pre == "llama-bpe")
        self.tokenizer = Tokenizer(bpe)
        self.tokenizer.pre_tokenizer = PRE[pre]()
        if pre == "qwen2":
            self.tokenizer.normalizer = normalizers.NFC()
        self.normalized = pre == "qwen2"
        alphabet = bytes_to_characters()
        self.lacks = bytes(b for b in range(256) if alphabet[b] not in v.tokens)
        user_defined = {t: i for i, (t, k) in enumerate(zip(v.tokens, v.types)) if k == USER_DEFINED}
        self.names = dict(user_defined, **v.control)
        self.split = {False: splitter(user_defined), True: splitter(self.names)}

    def encode(self, text, parse):
        ids = []
        for piece, name in self.split[parse](text):
            ids += self.tokenizer.encode(piece, add_special_tokens=False).ids
            ids += [self.names[name]] if name else []
        return ids

    def text_back(self, text):
        if self.normalized:
            text = unicodedata.normalize("NFC", text)
        return text.encode().translate(None, self.lacks).decode(errors="replace")


def train_byte_pair(path, pre, corpus):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = PRE[pre]()
    if pre == "qwen2":
        t.normalizer = normalizers.NFC()
    t.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=4000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    model = json.loads(t.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    types = [NORMAL] * len(tokens)
    if pre == "llama-bpe":  # whole words that no merge leads to: only ignore_merges finds them
        for word in ("Ġtokenizer", "ĠInternationalization", "servers"):
            if word not in model["vocab"]:
                tokens.append(word)
                types.append(NORMAL)
    for name, kind in (("<|endoftext|>", CONTROL), ("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL), ("<user>", USER_DEFINED),
                       ("<|im_", USER_DEFINED)):
        tokens.append(name)
        types.append(kind)
    return BytePair(write_vocabulary(path, "gpt2", tokens, types, merges=merges, pre=pre), pre)


# --------------------------------------------------------------------------------------------------- sentencepiece


def varint(v):
    v &= 0xFFFFFFFFFFFFFFFF
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def field(number, v):
    """One field of a protocol buffer: an integer, a float or bytes."""
    if isinstance(v, float):
        return varint(number << 3 | 5) + struct.pack("<f", v)
    if isinstance(v, bytes):
        return varint(number << 3 | 2) + varint(len(v)) + v
    return varint(number << 3) + varint(int(v))


class SentencePiece:
    """The numbers are those of sentencepiece_model.proto; its kinds of pieces have the numbers of GGUF's token types."""

    def __init__(self, vocabulary, byte_fallback=True):
        v = self.vocabulary = vocabulary
        self.exact = byte_fallback
        pieces = []
        for token, score, kind in zip(v.tokens, v.scores, v.types):
            piece = token.replace(" ", "\u2581") if kind in (NORMAL, USER_DEFINED, UNUSED) else token
            pieces.append(field(1, field(1, piece.encode()) + field(2, float(score)) + field(3, kind)))
        bpe = 2
        trainer = (field(3, bpe) + field(4, len(pieces)) + field(35, byte_fallback) + field(40, v.unk) +
                   field(41, -1) + field(42, -1) + field(43, -1))
        normalizer = field(1, b"identity") + field(3, v.add_space_prefix) + field(4, 0) + field(5, 1)
        self.model = sentencepiece.SentencePieceProcessor(
            model_proto=b"".join(pieces) + field(2, trainer) + field(3, normalizer))
        self.split = {False: splitter(()), True: splitter(v.control)}

    def encode(self, text, parse):
        ids = []
        for piece, name in self.split[parse](text):
            ids += self.model.encode(piece) if piece else []
            ids += [self.vocabulary.control[name]] if name else []
        return ids

    def text_back(self, text):
        return text.replace("\u2581", " ") if self.exact else None


def train_sentencepiece(path, corpus, byte_fallback):
    model, user_defined = io.BytesIO(), ["<user>", "[INST]"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(s for s in corpus if s.strip() and "\0" not in s), model_writer=model, model_type="bpe",
        vocab_size=5000, byte_fallback=byte_fallback, normalization_rule_name="identity", remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, user_defined_symbols=user_defined, character_coverage=0.98,
        minloglevel=2, hard_vocab_limit=False, num_threads=1)
    m = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    tokens = [m.id_to_piece(i) for i in range(m.get_piece_size())]
    types = [UNKNOWN if m.is_unknown(i) else CONTROL if m.is_control(i) else BYTE if m.is_byte(i) else
             USER_DEFINED if t in user_defined else NORMAL for i, t in enumerate(tokens)]
    if byte_fallback:  # a few that only lead to others
        for i in random.Random(5).sample([i for i, k in enumerate(types) if k == NORMAL and len(tokens[i]) > 2], 60):
            types[i] = UNUSED
    v = write_vocabulary(path, "llama", tokens, types, scores=[m.get_score(i) for i in range(len(tokens))],
                         more=[("tokenizer.ggml.unknown_token_id", m.unk_id())])
    return SentencePiece(v, byte_fallback)


# ----------------------------------------------------------------------------------------------------------- compare


def check(name, tool, oracle, strings):
    n_wrong = 0
    for flags in (0, PARSE_SPECIAL):
        for text, (ids, decoded) in zip(strings, ask(tool, oracle.vocabulary.path, strings, flags), strict=True):
            want = oracle.encode(text, flags == PARSE_SPECIAL)
            back = oracle.text_back(text)
            # a control token ends a text with a prefix of its own; only whole texts come back byte for byte
            parsed = flags and any(c in text for c in oracle.vocabulary.control)
            if ids == want and (back is None or parsed or decoded == back):
                continue
            n_wrong += 1
            if n_wrong <= 5:
                print(f"{name}: {text!r} (flags {flags})\n  got  {ids}\n  want {want}\n  back {decoded!r}", file=sys.stderr)
    print(f"{name}: {2 * len(strings) - n_wrong} of {2 * len(strings)} equal", flush=True)
    return n_wrong == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    parser.add_argument("--models", default=os.path.join(cache, "driftd", "models"))
    parser.add_argument("--strings", type=int, default=2500)
    parser.add_argument("--only", action="append")
    args = parser.parse_args()
    folder = pathlib.Path(args.models)
    strings = make_strings(args.strings, 1)
    corpus = make_strings(6000, 2)
    with tempfile.TemporaryDirectory() as work:
        path = lambda name: os.path.join(work, name + ".gguf")
        oracles = {
            "smollm2": lambda: BytePair(Vocabulary(str(folder / "SmolLM2-135M-Instruct.Q4_1.gguf")), "smollm"),
            "gemma3": lambda: SentencePiece(Vocabulary(str(folder / "gemma-3-270m-q4_k_m.gguf"))),
            "gpt-2": lambda: train_byte_pair(path("gpt-2"), "gpt-2", corpus),
            "llama-bpe": lambda: train_byte_pair(path("llama-bpe"), "llama-bpe", corpus),
            "qwen2": lambda: train_byte_pair(path("qwen2"), "qwen2", corpus),
            "llama-spm": lambda: train_sentencepiece(path("llama-spm"), corpus, True),
            "llama-unk": lambda: train_sentencepiece(path("llama-unk"), corpus, False),
        }
        good = True
        for name in args.only or oracles:
            good = check(name, args.tool, oracles[name](), strings) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
