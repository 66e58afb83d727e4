/* Changes that somebody has looked at and confirms. Only for page/'s own files. */
#ifndef TD_PAGE_CHANGE_H
#define TD_PAGE_CHANGE_H

#include "page/call.h"

/* Does `wish` (its user is the caller) if the subscription still is what the form showed, and leads
 * back to the account with a word of what came of it. */
void page_confirm(struct page_call *pc, const struct app_selling *wish);

#endif
