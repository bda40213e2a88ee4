package closedloop

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/duel"
)

var (
	wrkTotal   = regexp.MustCompile(`(\d+) requests in ([\d.]+)(us|ms|s|m|h),`)
	wrkQuanta  = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)\s*$`)
	wrkSocket  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatus  = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	h2Finished = regexp.MustCompile(`finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s`)
	h2Requests = regexp.MustCompile(`requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2Status   = regexp.MustCompile(`status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
)

func parseWrk(out string) (duel.Sample, error) {
	total := wrkTotal.FindStringSubmatch(out)
	if total == nil {
		return duel.Sample{}, errors.New("no total of wrk")
	}
	s := duel.Sample{Ops: count(total[1]), Took: span(total[2], total[3])}
	for _, q := range wrkQuanta.FindAllStringSubmatch(out, -1) {
		if q[1] == "50" {
			s.P50 = span(q[2], q[3])
		} else {
			s.P99 = span(q[2], q[3])
		}
	}
	if m := wrkSocket.FindStringSubmatch(out); m != nil {
		s.Errors += count(m[1]) + count(m[2]) + count(m[3]) + count(m[4])
		s.Remarks = append(s.Remarks, m[0])
	}
	if m := wrkStatus.FindStringSubmatch(out); m != nil {
		s.Errors += count(m[1])
		s.Remarks = append(s.Remarks, m[0])
	}
	return s, nil
}

// parseH2load reads a timed run. h2load cancels the streams that are in flight
// at its end and counts them neither as done nor as errors.
func parseH2load(out string) (duel.Sample, error) {
	finished, requests, status := h2Finished.FindStringSubmatch(out), h2Requests.FindStringSubmatch(out), h2Status.FindStringSubmatch(out)
	if finished == nil || requests == nil || status == nil {
		return duel.Sample{}, errors.New("no totals of h2load")
	}
	s := duel.Sample{Ops: count(requests[4]), Took: span(finished[1], finished[2])}
	if failed := count(requests[5]) + count(requests[6]) + count(requests[7]); failed > 0 {
		s.Errors += failed
		s.Remarks = append(s.Remarks, requests[0])
	}
	if refused := count(status[3]) + count(status[4]); refused > 0 {
		s.Errors += refused
		s.Remarks = append(s.Remarks, status[0])
	}
	if !strings.Contains(out, "Application protocol: h2") {
		return duel.Sample{}, fmt.Errorf("h2load spoke no HTTP/2")
	}
	return s, nil
}

// count and span read what a regular expression has already checked.
func count(digits string) uint64 {
	n, _ := strconv.ParseUint(digits, 10, 64)
	return n
}

func span(number, unit string) time.Duration {
	d, _ := time.ParseDuration(number + unit)
	return d
}
