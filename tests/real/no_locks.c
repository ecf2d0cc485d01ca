/* A file system that answers flock with the error NO_LOCKS (a number in the environment). */
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>

int flock(int descriptor, int operation)
{
    (void)descriptor, (void)operation; /* Lustre without locks refuses LOCK_UN as well */
    errno = atoi(getenv("NO_LOCKS"));
    return -1;
}
