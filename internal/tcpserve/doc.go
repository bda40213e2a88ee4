// Package tcpserve is the server of protocols that are not HTTP: it accepts TCP
// connections up to a limit and ends them in order. A Server can be given to
// process.Process.Serve.
//
//	s := &tcpserve.Server{MaxConns: 10_000, Handle: func(ctx context.Context, conn net.Conn) { … }}
//	p.Serve(s)
//
// # Draining
//
// Shutdown closes the listeners and ends the context of every Handle. That is
// the request to finish what was read, answer it, and return; a protocol without
// a goodbye can do no better. Finish makes a blocked Read return soon:
//
//	defer tcpserve.Finish(ctx, conn)()
//
// Those that have not returned when Shutdown's own context ends are cut off by
// Close, which process calls.
//
// # Half-close
//
// A client that has sent everything may close its direction and wait for the
// answers (Read returns io.EOF): Handle still owes them. CloseWrite does the
// same from this side.
package tcpserve
