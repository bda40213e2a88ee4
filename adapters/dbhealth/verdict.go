package dbhealth

import "fmt"

// Reason is why a database is not ready. The set is closed: it labels a metric.
type Reason string

const (
	OK            Reason = "ok"
	NotAsked      Reason = "not-asked"     // no check has ended yet
	Refused       Reason = "refused"       // it accepts no connection: stopped, or starting
	NoAnswer      Reason = "no-answer"     // it has said nothing
	TooSlow       Reason = "too-slow"      // it speaks, but was late
	Starting      Reason = "starting"      // it says that it is starting, stopping or recovering
	LoginRefused  Reason = "login-refused" // wrong user, password or rights
	TooMany       Reason = "too-many-connections"
	NoDatabase    Reason = "no-database" // the database of that name
	QueryFailed   Reason = "query-failed"
	Rows          Reason = "rows"   // too few or too many
	Value         Reason = "value"  // another than is expected
	Behind        Reason = "behind" // a replica that lags
	NotReplicates Reason = "replication-stopped"
	Misconfigured Reason = "password-file"     // cannot be read
	Broken        Reason = "connection-broken" // in the middle of the check
)

// reasons lists all, for the metric.
func reasons() []Reason {
	return []Reason{OK, Refused, NoAnswer, TooSlow, Starting, LoginRefused, TooMany, NoDatabase, QueryFailed, Rows, Value, Behind, NotReplicates, Misconfigured, Broken}
}

// verdict is what one check has found. As an error it is why a database is not
// ready; its detail is for operators and holds no text of the database's.
type verdict struct {
	reason Reason
	detail string
}

func (v *verdict) Error() string { return string(v.reason) + ": " + v.detail }

func not(r Reason, format string, args ...any) error {
	return &verdict{r, fmt.Sprintf(format, args...)}
}
