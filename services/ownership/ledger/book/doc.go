// Package book is one shard of a ledger: accounts with balances, the newest entries,
// and the fence.
//
// The fence is the largest token that was ever seen. It is on disk before anything is
// done for it: a worker that is killed and forgets it would let a zombie pass whose
// successor it had already served. A new owner opens the book before it reads: from that moment on
// whatever its predecessor still sends is refused, also what arrives between the new owner's
// first look and its first entry.
//
// An entry also says which number it has in its shard, and is refused if that is
// not the next one. The number alone would not fence: a late entry of the predecessor
// may well have the next number. And the fence alone would not order the entries of one owner,
// of which one may have been delayed.
//
// # The file
//
// Each change is a line: a CRC-32 and JSON, synced before it is answered. A last line
// that is not whole was never answered and is cut off; any other damage is an error. When the
// file has grown, it is written anew with the state as its first line, and renamed.
package book
