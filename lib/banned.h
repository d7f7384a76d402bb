/*
 * Functions nobody here may call. The Makefile includes this file before the
 * first line of every source, so a call of one of them does not compile: it
 * becomes a name that is declared nowhere and says what to use instead.
 *
 * The system headers that declare them come first; a later #include of one of
 * these is then empty and never sees the macros.
 */
#ifndef BANNED_H
#define BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* No room for the size of what is written to. */
#undef sprintf
#define sprintf(...) banned_sprintf_use_snprintf
#undef vsprintf
#define vsprintf(...) banned_vsprintf_use_vsnprintf
#undef strcpy
#define strcpy(...) banned_strcpy_use_memcpy_or_a_buf
#undef strcat
#define strcat(...) banned_strcat_use_a_buf

/* Hidden state: two threads, or two loops in one, spoil each other's. */
#undef strtok
#define strtok(...) banned_strtok_use_strcspn_or_strtok_r
#undef gmtime
#define gmtime(...) banned_gmtime_use_clock_h
#undef localtime
#define localtime(...) banned_localtime_use_clock_h

/* No way to tell a wrong number from 0. */
#undef atoi
#define atoi(...) banned_atoi_use_strtol_and_check
#undef atol
#define atol(...) banned_atol_use_strtol_and_check
#undef atoll
#define atoll(...) banned_atoll_use_strtoll_and_check
#undef atof
#define atof(...) banned_atof_use_strtod_and_check

#endif
