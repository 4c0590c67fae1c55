/* Cost of a context switch: two processes on one CPU hand a byte back and forth.
 *
 *   pingpong CPU ROUNDS REPEATS
 *
 * Each hand-over is one switch. Prints the fastest repeat in ns per switch, and
 * whether it ran as a real-time task (SCHED_FIFO: nobody else's time is in it).
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void hand_over(int out, int in, long rounds)
{
	char byte = 0;
	for (long i = 0; i < rounds; i++)
		if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
			exit(1);
}

int main(int argc, char **argv)
{
	int there[2], back[2];
	struct sched_param real_time = {.sched_priority = 50};
	cpu_set_t set;
	if (argc != 4)
		return 2;
	long rounds = atol(argv[2]), repeats = atol(argv[3]);
	CPU_ZERO(&set);
	CPU_SET(atoi(argv[1]), &set);
	if (sched_setaffinity(0, sizeof set, &set) || pipe(there) || pipe(back))
		return 1;
	int fifo = sched_setscheduler(0, SCHED_FIFO, &real_time) == 0;
	pid_t other = fork();
	if (other < 0)
		return 1;
	if (!other) {
		char byte;
		close(there[1]);
		close(back[0]);
		while (read(there[0], &byte, 1) == 1)
			if (write(back[1], &byte, 1) != 1)
				break;
		_exit(0);
	}
	close(there[0]);
	close(back[1]);
	hand_over(there[1], back[0], 2000);
	double best = 1e18;
	for (long r = 0; r < repeats; r++) {
		double start = now_ns();
		hand_over(there[1], back[0], rounds);
		double each = (now_ns() - start) / (2.0 * (double)rounds);
		if (each < best)
			best = each;
	}
	printf("%.1f %s\n", best, fifo ? "fifo" : "normal");
	close(there[1]);
	waitpid(other, NULL, 0);
	return 0;
}
