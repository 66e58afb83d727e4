/* A catalogue from two stores: packages from the one, their content from the other. Only for the
 * catalogue's own files. */
#ifndef TD_CATALOGUE_JOIN_H
#define TD_CATALOGUE_JOIN_H

#include "base/compiler.h"
#include "store/store.h"

/* What `content` has to ask its store for: the content of the packages that were read, and of those
 * of `also` (NULL: none). Packages first and their content later, because who changes both writes
 * them the other way round. False: no memory. */
bool join_ask(const struct store_op *packages, const struct store_catalogue *also,
	struct store_op *content) TD_MUST_CHECK;

/* Both were read: `packages` gets copies of the content, and of the rows that were left out. False:
 * no memory. */
bool join_content(struct store_op *packages, const struct store_op *content) TD_MUST_CHECK;

/* The content of earlier rows instead. A package that they do not have is left out: nobody sees one
 * without its content. False: no memory. */
bool join_earlier(struct store_op *packages, const struct store_catalogue *earlier) TD_MUST_CHECK;

#endif
