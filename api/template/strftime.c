/* strftime_now: the C locale's strftime of a given second, on the proleptic Gregorian calendar. */
#include "api/template/ops.h"

#include <inttypes.h>
#include <stdio.h>

struct date {
    int64_t year, days; /* days since 1970-01-01 */
    int month, day;     /* from 1 */
    int hour, minute, second;
    int weekday;  /* 0 is Sunday */
    int year_day; /* from 1 */
};

static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_before_year(int64_t year) /* since 1970, year >= 1 */
{
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

static struct date make_date(int64_t unix_s)
{
    const int64_t first = -62135596800, last = 253402300799; /* years 1 ... 9999 */
    unix_s = unix_s < first ? first : unix_s > last ? last : unix_s;
    int64_t days = unix_s / 86400, second = unix_s % 86400;
    if (second < 0) {
        second += 86400;
        days--;
    }
    struct date d = {.days = days,
                     .hour = (int)(second / 3600),
                     .minute = (int)(second / 60 % 60),
                     .second = (int)(second % 60),
                     .weekday = (int)(((days + 4) % 7 + 7) % 7)};
    d.year = 1970 + days / 366;
    while (days_before_year(d.year + 1) <= days)
        d.year++;
    while (d.year > 1 && days_before_year(d.year) > days)
        d.year -= (days_before_year(d.year) - days) / 366 + 1;
    while (days_before_year(d.year + 1) <= days)
        d.year++;
    int rest = (int)(days - days_before_year(d.year));
    d.year_day = rest + 1;
    for (d.month = 1; rest >= days_in_month(d.year, d.month); d.month++)
        rest -= days_in_month(d.year, d.month);
    d.day = rest + 1;
    return d;
}

/* ISO 8601: the week that holds the Thursday. */
static int iso_week(const struct date *d, int64_t *ret_year)
{
    int64_t thursday = d->days - (d->weekday + 6) % 7 + 3;
    int64_t year = d->year;
    if (thursday < days_before_year(year))
        year--;
    else if (thursday >= days_before_year(year + 1))
        year++;
    *ret_year = year;
    return (int)((thursday - days_before_year(year)) / 7 + 1);
}

static bool write_number(struct drift_tmpl_render *r, int64_t n, int width, char pad)
{
    char s[32];
    int len = pad == ' '   ? snprintf(s, sizeof s, "%*" PRId64, width, n)
              : pad == '0' ? snprintf(s, sizeof s, "%0*" PRId64, width, n)
                           : snprintf(s, sizeof s, "%" PRId64, n);
    return drift_tmpl_write(r, s, (size_t)len);
}

static bool write_name(struct drift_tmpl_render *r, const char *name, bool full)
{
    return drift_tmpl_write(r, name, full ? strlen(name) : 3);
}

static bool write_format(struct drift_tmpl_render *r, const struct date *d, const char *s,
                         size_t len);

static bool write_composed(struct drift_tmpl_render *r, const struct date *d, const char *format)
{
    return write_format(r, d, format, strlen(format));
}

/* pad: '0' or ' ' where the format asked, '-' for none, 0 for the directive's own. */
static bool write_directive(struct drift_tmpl_render *r, const struct date *d, char c, char pad)
{
    int64_t iso_year = d->year;
    int week = iso_week(d, &iso_year), hour12 = d->hour % 12 ? d->hour % 12 : 12;
    char zero = pad ? pad : '0', blank = pad ? pad : ' ';
    switch (c) {
    case 'Y':
        return write_number(r, d->year, 4, pad ? pad : '-');
    case 'G':
        return write_number(r, iso_year, 4, pad ? pad : '-');
    case 'C':
        return write_number(r, d->year / 100, 2, zero);
    case 'y':
        return write_number(r, d->year % 100, 2, zero);
    case 'g':
        return write_number(r, iso_year % 100, 2, zero);
    case 'm':
        return write_number(r, d->month, 2, zero);
    case 'd':
        return write_number(r, d->day, 2, zero);
    case 'e':
        return write_number(r, d->day, 2, blank);
    case 'H':
        return write_number(r, d->hour, 2, zero);
    case 'k':
        return write_number(r, d->hour, 2, blank);
    case 'I':
        return write_number(r, hour12, 2, zero);
    case 'l':
        return write_number(r, hour12, 2, blank);
    case 'M':
        return write_number(r, d->minute, 2, zero);
    case 'S':
        return write_number(r, d->second, 2, zero);
    case 'f':
        return drift_tmpl_write_cstr(r, "000000");
    case 'j':
        return write_number(r, d->year_day, 3, zero);
    case 'V':
        return write_number(r, week, 2, zero);
    case 'U':
        return write_number(r, (d->year_day + 6 - d->weekday) / 7, 2, zero);
    case 'W':
        return write_number(r, (d->year_day + 6 - (d->weekday + 6) % 7) / 7, 2, zero);
    case 'u':
        return write_number(r, d->weekday ? d->weekday : 7, 1, zero);
    case 'w':
        return write_number(r, d->weekday, 1, zero);
    case 'A':
    case 'a':
        return write_name(r, weekdays[d->weekday], c == 'A');
    case 'B':
    case 'b':
    case 'h':
        return write_name(r, months[d->month - 1], c == 'B');
    case 'p':
        return drift_tmpl_write_cstr(r, d->hour < 12 ? "AM" : "PM");
    case 'P':
        return drift_tmpl_write_cstr(r, d->hour < 12 ? "am" : "pm");
    case 's':
        return write_number(r, d->days * 86400 + d->hour * 3600 + d->minute * 60 + d->second, 1,
                            '-');
    case 'D':
    case 'x':
        return write_composed(r, d, "%m/%d/%y");
    case 'F':
        return write_composed(r, d, "%Y-%m-%d");
    case 'T':
    case 'X':
        return write_composed(r, d, "%H:%M:%S");
    case 'R':
        return write_composed(r, d, "%H:%M");
    case 'r':
        return write_composed(r, d, "%I:%M:%S %p");
    case 'c':
        return write_composed(r, d, "%a %b %e %H:%M:%S %Y");
    case 'z': /* no zone is known */
    case 'Z':
        return true;
    case 'n':
        return drift_tmpl_write_char(r, '\n');
    case 't':
        return drift_tmpl_write_char(r, '\t');
    case '%':
        return drift_tmpl_write_char(r, '%');
    default:
        return drift_tmpl_fail(r, DRIFT_STATUS_UNSUPPORTED, "strftime_now does not know '%%%c'", c);
    }
}

static bool write_format(struct drift_tmpl_render *r, const struct date *d, const char *s,
                         size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i], pad = 0;
        bool ok;
        if (c != '%' || i + 1 == len) {
            ok = drift_tmpl_write_char(r, c);
        } else {
            c = s[++i];
            if ((c == '-' || c == '_' || c == '0') && i + 1 < len) {
                pad = (char)(c == '_' ? ' ' : c);
                c = s[++i];
            }
            ok = drift_tmpl_charge(r, 1) && write_directive(r, d, c, pad);
        }
        if (!ok)
            return false;
    }
    return true;
}

bool drift_tmpl_strftime(struct drift_tmpl_render *r, struct drift_tmpl_value fmt,
                         struct drift_tmpl_value *ret)
{
    struct date d = make_date(r->now_unix_s);
    size_t start = drift_tmpl_capture_begin(r);
    return write_format(r, &d, fmt.s, fmt.len) && drift_tmpl_capture_end(r, start, ret);
}
