// Package link shares one connection to a server among many clients. Requests
// are written in the order in which they were sent, replies come back in that
// order, and each is handed to whoever waits for it.
//
//	l := link.New(ctx, link.Options{Dial: …, Failed: …})
//	err := l.Send(link.Now(), command, link.Request{To: session, Token: link.Token{Seq: 7}})
//	…
//	session.Answer(link.Token{Seq: 7}, reply)
//
// Why this is fast with many clients: the requests of all that are ready go out
// in one write, and one read brings the replies of many. Why it is safe: nothing
// is sent that keeps state in the connection or blocks it.
//
// A link ends at its first flaw – the connection is lost, the server says what
// is no reply, the oldest request is not answered in time – because on a shared
// connection nobody can skip a reply. All that is in flight then gets an error
// as its reply. A link that has ended takes no more requests; open another one.
//
// Bounded are the requests in flight, the bytes that wait to be written (Send
// waits), and the size of a reply (its receiver gets an error in its place).
package link
