// The init of a box: PID 1 of its namespaces. Freestanding C, no libc, no policy.
//
// It reads a plan, which Go made (see plan.go): a list of system calls. It carries out the
// first part itself, makes the child, which carries out the second part and ends in execve,
// reaps everything, ends what is left, and reports the child's raw wait status and rusage.
//
// Descriptors: 0-2 are the child's, 3 takes the report, 4 is the plan (a memfd). The plan is
// mapped at PLAN_ADDR, for which Go computed its pointers: beside init's own code, so that both
// share page tables, of which every new process must make its own.

typedef unsigned long u64;
typedef unsigned int u32;
typedef int i32;

#define PLAN_ADDR 0x300000UL
#define PLAN_MAX 0x100000UL
#define REPORT_FD 3
#define PLAN_FD 4

#if defined(__x86_64__)
enum { SYS_write = 1, SYS_mmap = 9, SYS_clone = 56, SYS_exit = 60, SYS_wait4 = 61, SYS_kill = 62,
       SYS_getrusage = 98, SYS_clock_gettime = 228, SYS_clone3 = 435, SYS_close_range = 436 };
static inline long sys(long n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  long r;
  register u64 r10 __asm__("r10") = d;
  register u64 r8 __asm__("r8") = e;
  register u64 r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return r;
}
// spawn makes the call n (clone or clone3), whose child goes on in child_main(p) on its own stack.
static inline long spawn(long n, u64 a, u64 b, void *p) {
  long r;
  register u64 r10 __asm__("r10") = 0;
  register u64 r8 __asm__("r8") = 0;
  __asm__ volatile("syscall\n test %%rax,%%rax\n jnz 1f\n xor %%ebp,%%ebp\n mov %%rbx,%%rdi\n call child_main\n ud2\n1:"
                   : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(0), "r"(r10), "r"(r8), "b"(p) : "rcx", "r11", "memory");
  return r;
}
__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n and $-16,%rsp\n call box_main\n ud2\n");
#elif defined(__aarch64__)
enum { SYS_write = 64, SYS_mmap = 222, SYS_clone = 220, SYS_exit = 93, SYS_wait4 = 260, SYS_kill = 129,
       SYS_getrusage = 165, SYS_clock_gettime = 113, SYS_clone3 = 435, SYS_close_range = 436 };
static inline long sys(long n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  register long x8 __asm__("x8") = n;
  register u64 x0 __asm__("x0") = a;
  register u64 x1 __asm__("x1") = b;
  register u64 x2 __asm__("x2") = c;
  register u64 x3 __asm__("x3") = d;
  register u64 x4 __asm__("x4") = e;
  register u64 x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return (long)x0;
}
// spawn makes the call n (clone or clone3), whose child goes on in child_main(p) on its own stack.
static inline long spawn(long n, u64 a, u64 b, void *p) {
  register long x8 __asm__("x8") = n;
  register u64 x0 __asm__("x0") = a;
  register u64 x1 __asm__("x1") = b;
  register u64 x2 __asm__("x2") = 0;
  register u64 x3 __asm__("x3") = 0;
  register u64 x4 __asm__("x4") = 0;
  register void *x19 __asm__("x19") = p;
  __asm__ volatile("svc 0\n cbnz x0, 1f\n mov x29, 0\n mov x0, x19\n bl child_main\n brk 1\n1:"
                   : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x19) : "memory");
  return (long)x0;
}
__asm__(".globl _start\n_start:\n bl box_main\n brk #1\n");
#else
#error "no such architecture"
#endif

// What Go and init share; each has its twin in plan.go, checked by a test against this text.
struct op {
  long nr;    // system call, or one of the marks below
  u64 arg[6];
  u64 go_on;  // 1: an error does not end the plan
};
struct plan {
  u64 magic, count, split;  // ops [0, split) are init's, [split, count) the child's
  long cgroup;              // descriptor for CLONE_INTO_CGROUP, or -1
  u64 started;              // written by OP_CLOCK, nanoseconds of CLOCK_MONOTONIC
  struct op *ops;
};
enum { SIGCHLD = 17, CLONE_VM = 0x100, CLONE_VFORK = 0x4000 };
#define CLONE_INTO_CGROUP 0x200000000UL
enum { OP_CLOCK = -1, OP_FAIL = -2 };
#define MAGIC 0x31584f424d49504fUL
enum { REPORT_FAILED = 1, REPORT_ENDED = 2, REPORT_NOT_EXECUTED = 3 };
struct report {
  u64 kind;
  long step, error;      // REPORT_FAILED, REPORT_NOT_EXECUTED: the op and the errno
  u64 status;            // REPORT_ENDED: the child's wait status
  u64 started, ended;    // nanoseconds of CLOCK_MONOTONIC
  long rusage[18];       // of all that was reaped
};

static u64 now(void) {
  long t[2];
  sys(SYS_clock_gettime, 1, (u64)t, 0, 0, 0, 0);
  return (u64)t[0] * 1000000000UL + (u64)t[1];
}

static void quit(int code) {
  for (;;) sys(SYS_exit, (u64)code, 0, 0, 0, 0, 0);
}

static void fail(u64 kind, long step, long error) {
  struct report r;
  u64 *w = (u64 *)&r;
  for (u32 i = 0; i < sizeof r / sizeof *w; i++) w[i] = 0;
  r.kind = kind;
  r.step = step;
  r.error = error;
  sys(SYS_write, REPORT_FD, (u64)&r, sizeof r, 0, 0, 0);
  quit(127);
}

static void carry_out(struct plan *p, u64 from, u64 to) {
  long last = 0;
  for (u64 i = from; i < to; i++) {
    struct op *o = &p->ops[i];
    long r = 0;
    if (o->nr == OP_CLOCK)
      p->started = now();
    else if (o->nr == OP_FAIL)
      fail(REPORT_NOT_EXECUTED, (long)i, last);
    else
      r = sys(o->nr, o->arg[0], o->arg[1], o->arg[2], o->arg[3], o->arg[4], o->arg[5]);
    if (r < 0 && r > -4096) {
      last = -r;
      if (!o->go_on) fail(REPORT_FAILED, (long)i, last);
    }
  }
}

void child_main(struct plan *p) {
  carry_out(p, p->split, p->count);
  quit(127);
}

// make_child makes the child as vfork does: init waits, and both share its memory, until execve.
// So nothing is copied. The child's stack lies below what init uses of its own.
static long make_child(struct plan *p) {
  u64 stack = ((u64)__builtin_frame_address(0) - 1024) & ~15UL;
  if (p->cgroup < 0) return spawn(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, stack, p);
  u64 args[11] = {0}; // struct clone_args (linux/sched.h)
  args[0] = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP;
  args[4] = SIGCHLD;
  args[5] = stack - 4096; // lowest byte and size
  args[6] = 4096;
  args[10] = (u64)p->cgroup;
  return spawn(SYS_clone3, (u64)args, sizeof args, p);
}

void box_main(void) {
  const u64 flags = 0x100000 | 0x8000 | 0x1; // MAP_FIXED_NOREPLACE, MAP_POPULATE, MAP_SHARED
  struct plan *p = (struct plan *)sys(SYS_mmap, PLAN_ADDR, PLAN_MAX, 3 /* read, write */, flags, PLAN_FD, 0);
  if ((u64)p != PLAN_ADDR) fail(REPORT_FAILED, -1, -(long)p);
  if (p->magic != MAGIC) fail(REPORT_FAILED, -1, 22 /* EINVAL */);
  carry_out(p, 0, p->split);
  long child = make_child(p);
  if (child < 0) fail(REPORT_FAILED, (long)p->split, -child);
  // Init must hold no end of the child's pipes: their end of file tells that all writers are gone.
  sys(SYS_close_range, 0, 2, 0, 0, 0, 0);
  sys(SYS_close_range, 4, ~0U, 0, 0, 0, 0);

  struct report r;
  r.kind = REPORT_ENDED;
  r.step = r.error = 0;
  i32 status = 0;
  for (;;) {
    long pid = sys(SYS_wait4, ~0UL, (u64)&status, 0x40000000 /* __WALL */, 0, 0, 0);
    if (pid == child) break;
    if (pid < 0 && pid != -4 /* EINTR */) fail(REPORT_FAILED, -2, -pid);
  }
  r.ended = now();
  r.status = (u32)status;
  r.started = p->started;
  // All that the program left behind ends with it.
  sys(SYS_kill, ~0UL, 9, 0, 0, 0, 0);
  for (;;) {
    long pid = sys(SYS_wait4, ~0UL, (u64)&status, 0x40000000, 0, 0, 0);
    if (pid < 0 && pid != -4) break;
  }
  sys(SYS_getrusage, ~0UL /* RUSAGE_CHILDREN */, (u64)r.rusage, 0, 0, 0, 0);
  sys(SYS_write, REPORT_FD, (u64)&r, sizeof r, 0, 0, 0);
  quit(0);
}
