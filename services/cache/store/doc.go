// Package store keeps responses in memory within a byte limit, finds them by key and selecting header
// fields, and takes them out: by key, by surrogate key, by pattern.
//
// Storage and eviction are otter's (W-TinyLFU: a new entry is admitted only when it is asked for more often
// than what would have to go). One entry is one [Resource]: all variants of one host, path and query, never
// changed in place, so that a reader needs no lock.
//
// Purging a key removes the entry at once. Bans (patterns and surrogate keys) are applied lazily: a ban is
// a numbered line in a short list, an object remembers up to which number it has been checked, and a hit on
// an object that has seen all bans costs one comparison. The lurker walks through the store behind the
// requests, checks the objects that nobody asks for, drops what is past any use, and then retires the bans
// that all objects have seen. When the list is full the lurker's walk is done at once, in the call that
// adds the ban, so the list never grows without bound.
package store
