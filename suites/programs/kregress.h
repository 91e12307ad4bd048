/*
 * What a C reproducer needs to speak with kregress.
 *
 * A program reports on file descriptor 3, one line a report:
 *
 *	iterations N	rounds that were really done
 *	symptom TEXT	the bug was seen by the program itself
 *	blind REASON	the program could not judge this kernel
 *	skip REASON	this kernel lacks something the test needs
 *	note TEXT	for the reader of the report
 *
 * and by its exit status: 0 the whole dose was done, 77 skip, anything else could not judge.
 * Run by hand, without a descriptor 3, the same lines go to standard error.
 *
 * The dose comes in the environment: KREGRESS_SECONDS, KREGRESS_ROUNDS, KREGRESS_SEED,
 * KREGRESS_CPUS, and KREGRESS_DISK_<NAME> for the path of every disk of the test.
 */
#ifndef KREGRESS_H
#define KREGRESS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { KREGRESS_DONE = 0, KREGRESS_BLIND = 1, KREGRESS_SKIP = 77 };

static int kregress_fd;

/* Before main: a program that opens a file would otherwise be given descriptor 3 itself. */
__attribute__((constructor)) static void kregress_find_fd(void)
{
	kregress_fd = fcntl(3, F_GETFD) < 0 ? STDERR_FILENO : 3;
}

__attribute__((format(printf, 2, 0), unused)) static void
kregress_report(const char *kind, const char *format, va_list args)
{
	char line[1024];
	int used = snprintf(line, sizeof(line), "%s ", kind);
	int text = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	size_t length = used + (text < 0 ? 0 : text);

	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	for (size_t i = 0; i < length; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[length] = '\n';
	/* One write a line, so that lines of several processes do not mix. */
	if (write(kregress_fd, line, length + 1) < 0)
		_exit(KREGRESS_BLIND);
}

/* Something for the reader of the report; no influence on the verdict. */
__attribute__((format(printf, 1, 2), unused)) static void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	kregress_report("note", format, args);
	va_end(args);
}

/* The program saw the bug itself. */
__attribute__((format(printf, 1, 2), unused)) static void symptom(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	kregress_report("symptom", format, args);
	va_end(args);
}

/* What the test relies upon did not happen: the absence of a symptom would prove nothing. */
__attribute__((format(printf, 1, 2), noreturn, unused)) static void blind(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	kregress_report("blind", format, args);
	va_end(args);
	exit(KREGRESS_BLIND);
}

/* This kernel or machine lacks what the test is about. */
__attribute__((format(printf, 1, 2), noreturn, unused)) static void skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	kregress_report("skip", format, args);
	va_end(args);
	exit(KREGRESS_SKIP);
}

__attribute__((format(printf, 2, 3), unused)) static void
kregress_number(const char *kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	kregress_report(kind, format, args);
	va_end(args);
}

/* Rounds that were really done, for detectors that count per round. */
__attribute__((unused)) static void iterations(uint64_t rounds)
{
	kregress_number("iterations", "%llu", (unsigned long long)rounds);
}

/* A positive number from the environment, or the given one where the variable is unset. */
__attribute__((unused)) static uint64_t env_number(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);
	char *end;
	uint64_t number;

	if (!text || !*text)
		return fallback;
	errno = 0;
	number = strtoull(text, &end, 10);
	/* strtoull() takes signs and blanks as well */
	if (errno || *end || *text < '0' || *text > '9')
		blind("%s is \"%s\", expected a number", name, text);
	return number;
}

/* Seconds of a clock that never goes back. */
__attribute__((unused)) static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* xorshift64*: enough to spread choices, and the same for the same seed. */
__attribute__((unused)) static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif
