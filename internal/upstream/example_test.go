package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

func ExampleParse() {
	for _, s := range []string{"10.0.0.1:8080/9080,10.0.0.2:8080/9080", "dns:dictionary.svc:8080/9080", "localhost"} {
		a, err := upstream.Parse(s)
		fmt.Println(a, err)
	}
	// Output:
	// 10.0.0.1:8080/9080,10.0.0.2:8080/9080 <nil>
	// dns:dictionary.svc:8080/9080 <nil>
	//  upstream address "localhost": "localhost": missing port in address; write host:port[/adminport],… or dns:name:port[/adminport] or file:path
}

// A raw TCP client with failover: one replica refuses, so the request goes to
// the other one, once.
func ExamplePool_Pick() {
	alive, _ := net.Listen("tcp", "127.0.0.1:0")
	defer alive.Close()
	dead, _ := net.Listen("tcp", "127.0.0.1:0")
	dead.Close()
	address, _ := upstream.Parse(dead.Addr().String() + "," + alive.Addr().String())
	pool, _ := upstream.New(upstream.Options{Name: "echo", Address: address, Policy: upstream.RoundRobin})
	budget := retry.NewBudget(retry.BudgetConfig{Share: 0.2, MinPerSecond: 5, Burst: 100})

	dial := func() (net.Conn, error) {
		var tried upstream.Tried
		budget.Request()
		for {
			endpoint, err := pool.Pick("", &tried)
			if err != nil {
				return nil, err
			}
			started := time.Now()
			conn, err := net.DialTimeout("tcp", endpoint.Addr(), time.Second)
			endpoint.Done(upstream.OfError(err), time.Since(started))
			if err == nil || !budget.Retry() {
				return conn, err
			}
		}
	}
	for range 2 {
		conn, err := dial()
		fmt.Println(conn.RemoteAddr().String() == alive.Addr().String(), err)
		conn.Close()
	}
	retries, _ := budget.Counts()
	fmt.Println("retries:", retries)
	// Output:
	// true <nil>
	// true <nil>
	// retries: 1
}

// Without an endpoint Pick fails at once. Who would rather wait a moment says
// for how long.
func ExamplePool_Wait() {
	address, _ := upstream.Parse("file:/nonexistent/endpoints")
	pool, _ := upstream.New(upstream.Options{Name: "dictionary", Address: address})
	_, err := pool.Pick("", nil)
	fmt.Println(errors.Is(err, upstream.ErrNoUpstream), err)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println(pool.Wait(ctx))
	// Output:
	// true upstream dictionary: no usable endpoint: none known
	// context deadline exceeded: upstream dictionary: no usable endpoint: none known
}
