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
 * a processor for hours. */
static bool is_affordable(const char *hash)
{
	const char *memory = strstr(hash, "$m=");
	unsigned long long kib = 0, passes = 0;
	if (strncmp(hash, "$argon2id$", 10) != 0 || memory == NULL ||
		sscanf(memory, "$m=%9llu,t=%9llu,", &kib, &passes) != 2)
		return false;
	return kib * 1024 <= MEMORY_MOST && kib * 1024 * passes <= WORK_MOST;
}

/* Hashes the password for nothing, so that the time does not tell that there is no such user. */
static void work_for_nothing(struct app_hash_job *job)
{
	make(job);
	sodium_memzero(job->made, sizeof(job->made));
}

static void verify(struct app_hash_job *job)
{
	char hash[crypto_pwhash_STRBYTES] = "";
	job->matches = false;
	job->status = TD_OK;
	if (job->hash.ptr != NULL && job->hash.len < sizeof(hash))
		memcpy(hash, job->hash.ptr, job->hash.len);
	if (!is_affordable(hash)) {
		work_for_nothing(job);
		return;
	}
	job->matches = crypto_pwhash_str_verify(hash, job->password.ptr, job->password.len) == 0;
}

void app_password_work(struct app_hash_job *job)
{
	if (job->verifies)
		verify(job);
	else
		make(job);
}
