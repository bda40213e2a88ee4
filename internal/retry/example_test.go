package retry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// A process downloads what it needs from a server that is not there yet: it
// waits as the server asks, and gives up only when the answer is final.
func ExampleDo() {
	answers := []int{503, 503, 200}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(answers[0])
		answers = answers[1:]
	}))
	defer server.Close()

	policy := retry.Policy{
		Backoff: retry.Backoff{Base: time.Millisecond, Max: 10 * time.Millisecond},
		Timeout: time.Second,
		Before:  func(attempt int, err error, _ time.Duration) { fmt.Println("attempt", attempt, err) },
	}
	err := retry.Do(context.Background(), policy, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			return retry.Stop(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		switch response.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusServiceUnavailable:
			wait, _ := retry.ParseRetryAfter(response.Header.Get("Retry-After"), time.Now())
			return retry.After(errors.New(response.Status), wait)
		}
		return retry.Stop(errors.New(response.Status))
	})
	fmt.Println("done", err)
	// Output:
	// attempt 1 503 Service Unavailable
	// attempt 2 503 Service Unavailable
	// done <nil>
}

// When everything fails, a budget bounds what retries add to the load.
func ExampleBudget() {
	budget := retry.NewBudget(retry.BudgetConfig{Share: 0.2, Burst: 100})
	for range 100 {
		budget.Request()
		_ = budget.Retry() // every request fails and would be retried
	}
	fmt.Println(budget.Counts())
	// Output: 20 80
}
