/* What the code needs from the compiler beyond C17, in one place. */
#ifndef TD_BASE_COMPILER_H
#define TD_BASE_COMPILER_H

/* The result says whether it worked: not looking at it is a compile-time warning. */
#define TD_MUST_CHECK __attribute__((warn_unused_result))

/* Argument `fmt` is a printf format, its arguments begin at `first` (0: a va_list). */
#define TD_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

#define TD_NORETURN __attribute__((noreturn))
#define TD_UNUSED   __attribute__((unused))

#define TD_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of type `type` whose member `member` is at `ptr`. `ptr` must not be const. */
#define TD_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A claim that is proven, cheap and stays on in production. Never for input from outside. */
#define td_assert(claim) ((claim) ? (void)0 : td_assert_failed(#claim, __FILE__, __LINE__))

/* Writes the claim to stderr and aborts. */
TD_NORETURN void td_assert_failed(const char *claim, const char *file, int line);

#endif
