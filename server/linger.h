/*
 * Closing a connection whose request was refused before all of it was read.
 *
 * Closing a socket with unread input resets the connection, and the reset overtakes the reply on
 * its way: the client sees a broken pipe where it should see a 413. So a duplicate descriptor stays
 * open a little longer and eats what still comes. Thread: http.
 */
#ifndef DRIFT_SERVER_LINGER_H
#define DRIFT_SERVER_LINGER_H

struct drift_server;

/* Keep fd's connection open until the peer closes it, for two seconds at most; fd itself is left
 * alone. */
void drift_linger_start(struct drift_server *server, int fd);
/* Stop all of it. */
void drift_linger_stop_all(struct drift_server *server);

#endif
