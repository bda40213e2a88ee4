// Package fanout makes every replica of the cache forget the same things: purges of one URL, bans of a pattern,
// and surrogate keys.
//
// A command is recorded in a Redis stream, and every replica follows the stream and applies what it reads, in
// order and each command once. Publish answers when the command is recorded, and as a rule also applied here.
// Within Window of the record every other replica has applied it too, or its Current is false, and then it must
// let only validated answers out. So whoever invalidates can rely on this: a second later no replica serves,
// without asking the origin, what was to be forgotten.
//
// # The stream
//
// Records are numbered 1, 2, 3, … by a script that also writes the stream; a record's number is its stream id.
// Beside the stream stands its state: an epoch (random, made with the stream), the last number, and the last
// record's nonce. Every record names the nonce of the one before it. A replica that knows number and nonce of
// what it applied last finds out at once, and by comparison alone, that
//
//   - it is up to date: the state's number and nonce are its own;
//   - commands follow: the next record's number is its own + 1, its predecessor's nonce the replica's;
//   - commands were trimmed away before it saw them (the stream is bounded): a number is missing;
//   - Redis lost its data, or was restored from an older copy: another epoch, a smaller number, or the same
//     number with another nonce.
//
// In the last two cases nobody can say what was missed, so it flushes the whole cache and goes on from the
// state. It does the same when it starts (what it stored before it followed the stream may have been
// invalidated), and for a record that it does not understand, which a newer version wrote.
//
// # Being current
//
// A replica asks every 300 ms at the latest: a blocking read of the stream, and after it, in the same round
// trip, the state. The state proves that the replica was up to date when the question was sent, and that proof
// holds for Window. A connection that breaks ends it at once, one that hangs by time.
//
// Without Redis (the cache as a sidecar of one process) commands apply here only, and Current is always true.
package fanout
