// Package linear records what concurrent clients did and saw, and checks whether some
// order of it explains everything: linearizability, by porcupine.
//
//	rec := linear.NewRecorder(linear.Fence)
//	call := rec.Begin(linear.Operation{Client: 3, Key: "shard-1", Do: linear.Write, Token: 7})
//	… send it …
//	call.OK() // or call.Refused(), call.Unknown(), call.Void()
//	history, err := rec.History()
//	err = linear.Checker{Limit: time.Minute, Dir: dir}.Check(history)
//
// A call is stamped before anything is sent and after its answer was read, so that the
// operation happened between the two. One whose answer never came may have happened at
// any time since, or may yet: Unknown. One that was surely never sent is not recorded: Void.
// Calls that have not ended when the history is taken are unknown.
//
// # Models
//
// A history is checked for each key by itself, against one of these.
//
// Mutex is a lock: acquire, release, hold and expire, with the name of the grant, which is
// acquired once. Between a grant's acquire and its release nobody else acquires. A refused
// acquire says that somebody had the lock; hold says that the grant had it, or, refused,
// that it had not; a release that was not refused was one of the holder. expire is what a
// lease does by itself: its call is the earliest moment at which the lease could end – the
// call of the last renewal, plus the TTL – and its outcome always unknown.
//
// Fence is a lock with fencing tokens: acquire returns a token larger than all before; a
// write that carries a token is accepted only if none was accepted before that carried a
// larger one. A refused write says nothing: a worker may know more than was accepted.
//
// Ledger is a list of entries, each with an identifier of its own. The n-th entry makes
// version n; append returns the version that the entry made, and the same again when it is
// repeated; read returns all entries in order. So a read shows an entry twice, not at
// all, or in two places only by a violation. A refused append has changed nothing.
//
// # The file of a history
//
// Lines of JSON, each ended by a newline. The first one is the header:
//
//	{"format":"flotilla-history","version":1,"model":"fence"}
//
// Every other one is an operation, in the order of the calls:
//
//	{"client":3,"key":"shard-1","do":"write","token":7,"outcome":"ok","call":1500,"return":2700}
//
//	client   number of who called
//	key      the object
//	do       mutex: acquire, release, hold, expire; fence: acquire, write; ledger: append, read
//	grant    mutex: name of the grant
//	token    fence: what an acquire returned or a write carried; none in a refused or unknown acquire
//	entry    ledger: identifier of what is appended
//	version  ledger: what an append or a read that is ok returned
//	entries  ledger: what a read that is ok returned
//	outcome  ok; refused: it was answered, and not done; unknown: no answer
//	call     nanoseconds since the recording began, before the request was sent
//	return   the same, after the answer was read; none when unknown
//
// Read refuses anything else, and says in which line.
package linear
