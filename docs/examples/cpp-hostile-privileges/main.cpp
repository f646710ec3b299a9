#include <csignal>
#include <cstdio>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/ptrace.h>

int main() {
    // Everything that it may signal, and the init of its box.
    kill(-1, SIGKILL);
    kill(1, SIGKILL);
    if (setuid(0) == 0) puts("became root");
    if (mount("none", "/tmp", "tmpfs", 0, nullptr) == 0) puts("mounted a file system");
    if (chroot("/tmp") == 0) puts("changed its root");
    if (ptrace(PTRACE_ATTACH, 1, nullptr, nullptr) == 0) puts("traces the init");
    puts("contained");
}
