// interrupt.c - the first signal is noted, the second has its default effect.
#include "interrupt.h"

#include <signal.h>

#include "error.h"

/* Mutable because a signal handler has no other way to speak. */
static volatile sig_atomic_t received;

static void note(int number)
{
    if (received) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns and unblocks it */
        return;
    }
    received = number;
}

void interrupt_watch(void)
{
    /* SA_RESTART: a finished row that is being written is written whole. */
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupted(void)
{
    if (received == SIGINT)
        return FAULT_INTERRUPTED;
    return received == SIGTERM ? FAULT_TERMINATED : FAULT_NONE;
}
