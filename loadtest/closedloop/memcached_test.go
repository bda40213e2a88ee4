package closedloop

import (
	"testing"
	"time"
)

func TestTheLineOfMemloadIsRead(t *testing.T) {
	t.Parallel()
	s, err := parseMemload([]byte(`{"ops":1000,"errors":1,"seconds":2,"p50_us":350,"p99_us":1500.5,"last_error":"EOF"}`))
	if err != nil || s.Ops != 1000 || s.Errors != 1 || s.Took != 2*time.Second || s.P50 != 350*time.Microsecond || s.P99 != 1500500*time.Nanosecond || s.Remarks[0] != "EOF" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, text := range []string{"", "{}", "ops"} {
		if _, err := parseMemload([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
