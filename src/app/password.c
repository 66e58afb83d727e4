#include "app/password.h"

#include "base/utf8.h"

#include <sodium.h>
#include <stdio.h>

#define PASSES      2
#define MEMORY_MOST (UINT64_C(1) << 30)
#define WORK_MOST   (4 * MEMORY_MOST) /* memory times passes: some seconds */

/* Of the lists of leaked passwords: the most frequent with eight characters or more. */
static const char *const common[] = {
	"password",
	"password1",
	"password123",
	"passw0rd",
	"12345678",
	"123456789",
	"1234567890",
	"123123123",
	"11111111",
	"00000000",
	"87654321",
	"qwertyuiop",
	"qwerty123",
	"1q2w3e4r",
	"1qaz2wsx",
	"iloveyou",
	"princess",
	"sunshine",
	"football",
	"baseball",
	"superman",
	"trustno1",
	"starwars",
	"computer",
	"michelle",
	"jennifer",
	"welcome1",
	"changeme",
	"abcd1234",
	"abc12345",
	"letmein1",
	"admin123",
	"administrator",
	"contraseña",
};

const char *app_password_fault(struct td_slice password)
{
	if (password.len == 0)
		return "is missing; it is required";
	if (!td_utf8_is_valid(password))
		return "is not valid UTF-8";
	if (td_utf8_count(password) < APP_PASSWORD_LEAST)
		return "is too short; take at least 8 characters, better a whole phrase";
	if (password.len > APP_PASSWORD_MOST)
		return "is too long; at most 1024 bytes are taken";
	for (size_t i = 0; i < TD_ARRAY_LEN(common); i++) {
		if (td_slice_is_nocase(password, common[i]))
			return "is one that many people use and others guess first; take another";
	}
	return NULL;
}

static void make(struct app_hash_job *job)
{
	_Static_assert(sizeof(job->made) >= crypto_pwhash_STRBYTES, "a hash fits");
	bool made = crypto_pwhash_str_alg(job->made, job->password.ptr, job->password.len, PASSES,
			    job->memory, crypto_pwhash_ALG_ARGON2ID13) == 0;
	job->status = made ? TD_OK : TD_NOMEM;
}

/* "$argon2id$v=19$m=19456,t=2,p=1$…": a row that somebody else wrote must not take all memory, nor
 * a processor for hours. *ret_work: the bytes that it goes through, all passes together. */
static bool is_affordable(const char *hash, uint64_t *ret_work)
{
	const char *memory = strstr(hash, "$m=");
	unsigned long long kib = 0, passes = 0;
	if (strncmp(hash, "$argon2id$", 10) != 0 || memory == NULL ||
		sscanf(memory, "$m=%9llu,t=%9llu,", &kib, &passes) != 2)
		return false;
	*ret_work = kib * 1024 * passes;
	return kib * 1024 <= MEMORY_MOST && *ret_work <= WORK_MOST;
}

/* Hashes the password for nothing, so that the time does not tell that there is no such user. */
static enum td_status work_for_nothing(const struct app_hash_job *job, size_t memory)
{
	struct app_hash_job work = {.password = job->password, .memory = memory};
	make(&work);
	sodium_memzero(work.made, sizeof(work.made));
	return work.status;
}

/* A hash that was made for less memory than is taken now was verified sooner than one that is not
 * there: the rest is worked off. Where it was made for more there is nothing to be done. */
static void make_up(const struct app_hash_job *job, uint64_t work)
{
	uint64_t wanted = (uint64_t)job->memory * PASSES;
	uint64_t rest = work < wanted ? (wanted - work) / PASSES : 0;
	if (rest >= crypto_pwhash_MEMLIMIT_MIN)
		(void)work_for_nothing(job, rest);
}

/* The only time that the password is there to be hashed as it would be now. Without memory the old
 * hash stays. */
static void renew(struct app_hash_job *job, const char *hash)
{
	if (crypto_pwhash_str_needs_rehash(hash, PASSES, job->memory) != 1)
		return;
	make(job);
	if (job->status != TD_OK)
		job->made[0] = '\0';
	job->status = TD_OK;
}

static void verify(struct app_hash_job *job)
{
	char hash[crypto_pwhash_STRBYTES] = "";
	uint64_t work = 0;
	job->matches = false;
	job->made[0] = '\0';
	job->status = TD_OK;
	if (job->hash.ptr != NULL && job->hash.len < sizeof(hash))
		memcpy(hash, job->hash.ptr, job->hash.len);
	if (!is_affordable(hash, &work)) {
		job->status = work_for_nothing(job, job->memory);
		return;
	}
	job->matches = crypto_pwhash_str_verify(hash, job->password.ptr, job->password.len) == 0;
	if (job->matches)
		renew(job, hash);
	else
		make_up(job, work);
}

void app_password_work(struct app_hash_job *job)
{
	if (job->verifies)
		verify(job);
	else
		make(job);
}
