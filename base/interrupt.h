// interrupt.h - Ctrl-C and SIGTERM: the first asks the loops to stop, one that comes half a second
// later or more ends the program at once.
#ifndef ROOFLINE_INTERRUPT_H
#define ROOFLINE_INTERRUPT_H

/* Installs the handlers. */
void interrupt_watch(void);

/* 0, or the exit code (130 SIGINT, 143 SIGTERM) once a signal came. */
int interrupted(void);

#endif
