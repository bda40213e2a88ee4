// Package dictionary is a replicated, load-balanced service: any replica answers
// any question about a word, out of data that it downloaded at start.
//
//	GET  /dog                  the page of a word; JSON where Accept asks for it
//	GET  /v1/words/dog         the same as JSON, always
//	GET  /v1/suggest?prefix=do words that begin so, the common ones first
//	GET  /v1/random            a random word; never stored by a cache
//	POST /v1/recent            {"word":"dog"}: remember that the session looked it up
//	GET  /v1/recent            the words of the session
//	GET  /                     a search box
//
// A replica is live at once and ready when the data is loaded: checked by its
// digest, mapped, not copied. Until then it answers 503.
//
// Words are shared: their pages carry validators and say how long they are fresh,
// depend on nothing but the word, the data and the version of the page, and never
// set a cookie. Recent words are the opposite: they belong to the session in the
// cookie __Host-session, are kept in this replica's memory only, and are never
// stored by a cache. The balancer in front keeps a session on one replica; when
// that dies the next one starts with an empty list.
package dictionary
