package httpclient_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/flotilla-dev/flotilla/internal/httpclient"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// One of two replicas is dead. The caller does not notice, and the callee knows
// how long the caller waits.
func Example() {
	alive := httptest.NewServer(httpclient.Deadline(time.Minute, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deadline, _ := r.Context().Deadline()
		fmt.Fprintf(w, "dog, within %s", time.Until(deadline).Round(time.Second))
	})))
	defer alive.Close()
	dead, _ := net.Listen("tcp", "127.0.0.1:0")
	dead.Close()

	address, _ := upstream.Parse(dead.Addr().String() + "," + alive.Listener.Addr().String())
	pool, _ := upstream.New(upstream.Options{Name: "dictionary", Address: address})
	client, _ := httpclient.New(httpclient.Options{Name: "dictionary", Pool: pool})
	defer client.CloseIdleConnections()

	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	for range 3 {
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://dictionary/v1/random", nil)
		response, err := client.Do(request)
		if err != nil {
			fmt.Println(err)
			continue
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Println(response.StatusCode, string(body))
	}
	// Output:
	// 200 dog, within 3s
	// 200 dog, within 3s
	// 200 dog, within 3s
}
