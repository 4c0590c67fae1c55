/* A node full of processes: most sleep, some use a little CPU now and then.
 *
 *   spawn PROCESSES GROUPS JOINS ACTIVE_PERCENT BURN_US PERIOD_MS
 *
 * JOINS is a file with one line per group: the cgroup.procs files through which
 * it joins ("" joins nothing). The first process of a group joins and starts the
 * others, so that a migration is paid once per group. Prints READY when all run;
 * ends, with all of them, at the end of its standard input.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long active_percent, burn_us, period_ms;

static double cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void nap(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

static void live(long number)
{
	/* Which ones are active is scrambled, so that every group has some. */
	if ((long)((unsigned long)number * 2654435761UL % 1000003UL % 100UL) >= active_percent)
		for (;;)
			pause();
	nap((long)((unsigned long)number * 2246822519UL % 999983UL % (unsigned long)period_ms));
	for (;;) {
		double until = cpu_us() + (double)burn_us;
		while (cpu_us() < until)
			;
		nap(period_ms);
	}
}

static void join(char *line)
{
	for (char *file = strtok(line, " \n"); file; file = strtok(NULL, " \n")) {
		int fd = open(file, O_WRONLY);
		if (fd < 0 || write(fd, "0", 1) != 1) {
			perror(file);
			_exit(1);
		}
		close(fd);
	}
}

/* End with this parent, also when it has ended before it could be said. */
static void end_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static void lead(char *line, long first, long count, int ready)
{
	pid_t leader = getpid();
	close(0);
	join(line);
	for (long i = 1; i < count; i++) {
		pid_t pid = fork();
		if (pid < 0) {
			perror("fork");
			_exit(1);
		}
		if (!pid) {
			end_with(leader);
			close(ready);
			live(first + i);
		}
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	live(first);
}

int main(int argc, char **argv)
{
	static char line[16384];
	int ready[2];
	char byte;
	if (argc != 7)
		return 2;
	pid_t spawner = getpid();
	long processes = atol(argv[1]), groups = atol(argv[2]);
	FILE *joins = fopen(argv[3], "r");
	active_percent = atol(argv[4]);
	burn_us = atol(argv[5]);
	period_ms = atol(argv[6]);
	pid_t *leaders = calloc((size_t)groups, sizeof *leaders);
	if (!joins || !leaders || pipe(ready))
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (long g = 0; g < groups; g++) {
		long first = processes * g / groups, next = processes * (g + 1) / groups;
		if (!fgets(line, sizeof line, joins))
			line[0] = 0;
		leaders[g] = fork();
		if (leaders[g] < 0)
			return 1;
		if (!leaders[g]) {
			end_with(spawner);
			close(ready[0]);
			lead(line, first, next - first, ready[1]);
		}
	}
	close(ready[1]);
	long started = 0;
	while (started < groups && read(ready[0], &byte, 1) == 1)
		started++;
	puts(started == groups ? "READY" : "FAILED");
	fflush(stdout);
	while (started == groups && read(0, &byte, 1) > 0)
		;
	for (long g = 0; g < groups; g++)
		kill(leaders[g], SIGKILL);
	while (wait(NULL) > 0)
		;
	return started == groups ? 0 : 1;
}
