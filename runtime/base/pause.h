/* What a thread does inside a short spin loop, so that its core's other threads and the memory bus get on. */
#ifndef DRIFT_RUNTIME_BASE_PAUSE_H
#define DRIFT_RUNTIME_BASE_PAUSE_H

static inline void drift_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#else
    __asm__ volatile("");
#endif
}

#endif
