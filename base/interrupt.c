// interrupt.c - the first signal is noted, a later one has its default effect.
#include "interrupt.h"

#include <signal.h>
#include <time.h>

#include "error.h"

/* One event may send two signals: timeout(1) signals its child and then the group, a batch system
 * every process of a job and each step. A person who insists takes longer. */
static const double same_event_seconds = 0.5;

/* Mutable because a signal handler has no other way to speak. Handlers do not interrupt each other:
 * each blocks both signals. */
static struct {
    volatile sig_atomic_t number;
    struct timespec time; /* of the first signal; for the handler alone */
} received;

static double seconds_since(const struct timespec *then)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* may be called in handlers: signal-safety(7) */
    return (double)(now.tv_sec - then->tv_sec) + 1e-9 * (double)(now.tv_nsec - then->tv_nsec);
}

static void note(int number)
{
    if (!received.number) {
        clock_gettime(CLOCK_MONOTONIC, &received.time);
        received.number = number;
    } else if (seconds_since(&received.time) > same_event_seconds) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns and unblocks it */
    }
}

void interrupt_watch(void)
{
    /* SA_RESTART: a finished row that is being written is written whole. */
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupted(void)
{
    if (received.number == SIGINT)
        return FAULT_INTERRUPTED;
    return received.number == SIGTERM ? FAULT_TERMINATED : FAULT_NONE;
}
