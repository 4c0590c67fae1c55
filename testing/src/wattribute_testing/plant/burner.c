/* The plant's children: processes that use CPU time as told, and little else.
 *
 *   burner [--join FILE]... [--cpus 0,1] [--parent PID] NAME burn SECONDS:LOAD,...
 *   burner ...                                          NAME churn COUNT BURST_MS PER_SECOND FD
 *   burner ...                                          NAME run ARGV...
 *   burner NAME burst MS                                (what churn starts)
 *
 * Before anything else a child joins its cgroups (writes 0 to each FILE), so
 * that all of its time is in them. churn writes one record (pid, CPU ns; two
 * int64) to FD for each process that it has reaped. burner.py does the same
 * where there is no compiler.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void doze(double seconds)
{
	struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
	if (seconds > 0)
		nanosleep(&t, NULL);
}

/* Use CPU until this process has used so much in all; the inner loop keeps the
 * clock's own system time small. */
static void burn_until(double cpu_seconds)
{
	static volatile uint64_t sink;
	while (now(CLOCK_PROCESS_CPUTIME_ID) < cpu_seconds)
		for (int i = 0; i < 20000; i++)
			sink += (uint64_t)i * 2654435761u;
}

struct point {
	double at, load;
};

static double load_at(const struct point *p, int n, double t)
{
	if (t <= p[0].at)
		return p[0].load;
	for (int i = 0; i + 1 < n; i++)
		if (t < p[i + 1].at)
			return p[i].load +
			       (p[i + 1].load - p[i].load) * (t - p[i].at) / (p[i + 1].at - p[i].at);
	return p[n - 1].load;
}

static int burn(char *schedule)
{
	static struct point points[4096];
	int n = 0;
	for (char *word = strtok(schedule, ","); word && n < 4096; word = strtok(NULL, ","))
		if (sscanf(word, "%lf:%lf", &points[n].at, &points[n].load) == 2)
			n++;
	if (!n)
		return 2;
	double start = now(CLOCK_MONOTONIC), last = start, due = now(CLOCK_PROCESS_CPUTIME_ID);
	for (;;) {
		double t = now(CLOCK_MONOTONIC), used = now(CLOCK_PROCESS_CPUTIME_ID);
		due += load_at(points, n, t - start) * (t - last);
		last = t;
		/* What a busy machine withheld for longer than this is not made up for. */
		if (due < used - 0.02)
			due = used - 0.02;
		if (due > used + 0.05)
			due = used + 0.05;
		burn_until(due);
		if (load_at(points, n, t - start) < 1)
			doze(0.01);
	}
}

static int churn(const char *self, const char *name, long count, const char *ms, double rate, int fd)
{
	char *argv[] = {(char *)self, (char *)name, "burst", (char *)ms, NULL};
	double start = now(CLOCK_MONOTONIC);
	for (long i = 0; i < count; i++) {
		struct rusage used;
		pid_t pid;
		int status;
		if (rate > 0)
			doze(start + (double)i / rate - now(CLOCK_MONOTONIC));
		if (posix_spawn(&pid, self, NULL, NULL, argv, environ))
			return 1;
		if (wait4(pid, &status, 0, &used) != pid)
			return 1;
		int64_t record[2] = {
			pid, (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000LL +
				     (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000LL};
		if (write(fd, record, sizeof record) != sizeof record)
			return 1;
	}
	return 0;
}

static int join(const char *file)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "0", 1) == 1 && close(fd) == 0;
}

static int pin(char *list)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ","))
		CPU_SET(atoi(word), &set);
	return sched_setaffinity(0, sizeof set, &set) == 0;
}

int main(int argc, char **argv)
{
	int i = 1;
	for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
		if (!strcmp(argv[i], "--join")) {
			if (!join(argv[i + 1])) {
				perror(argv[i + 1]);
				return 1;
			}
		} else if (!strcmp(argv[i], "--cpus")) {
			if (!pin(argv[i + 1])) {
				perror("sched_setaffinity");
				return 1;
			}
		} else if (!strcmp(argv[i], "--parent")) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != atoi(argv[i + 1]))
				return 1;
		}
	}
	argc -= i;
	argv += i;
	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "run") && argc > 2) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		return 127;
	}
	prctl(PR_SET_NAME, argv[0]);
	if (!strcmp(argv[1], "burst") && argc == 3) {
		burn_until(atof(argv[2]) / 1e3);
		return 0;
	}
	if (!strcmp(argv[1], "burn") && argc == 3)
		return burn(argv[2]);
	if (!strcmp(argv[1], "churn") && argc == 6) {
		char self[4096];
		ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
		if (n < 0)
			return 1;
		self[n] = 0;
		return churn(self, argv[0], atol(argv[2]), argv[3], atof(argv[4]), atoi(argv[5]));
	}
	return 2;
}
