// Package cable is a TCP connection between two programs that can be cut, silenced in
// one direction or both, and slowed, while both run: a link with faults, for tests and
// proofs.
//
//	c, err := cable.Lay("tcp", etcd)
//	defer c.Close()
//	… a program that is told c.Addr() in place of etcd …
//	c.Cut()                    // ends all connections, and every new one at once
//	c.Silence(cable.ToClient)  // nothing arrives there, and nobody is told
//	c.Delay(cable.Both, 100*time.Millisecond)
//	c.Mend()                   // no fault
//
// A silent direction keeps what was sent and delivers it once mended, as TCP does after a
// partition that is shorter than its own patience; so does a connection that was opened
// meanwhile, which a partition would have delayed as well. What a fault is set to holds
// for connections that are open, too.
//
// Half-closes are passed on, and a delayed direction passes one piece of at most 32 KiB
// at a time.
package cable
