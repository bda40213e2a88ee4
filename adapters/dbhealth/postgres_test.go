package dbhealth

import (
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pgAnswers is a PostgreSQL that lets everybody in, and answers the question for the
// lag with one row; nil is NULL.
func pgAnswers(lag ...[]byte) func(net.Conn) {
	return func(conn net.Conn) {
		b := pgproto3.NewBackend(conn, conn)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return
		}
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "15.0"})
		for {
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			if err := b.Flush(); err != nil {
				return
			}
			message, err := b.Receive()
			if err != nil {
				return
			}
			query, ok := message.(*pgproto3.Query)
			if !ok {
				return
			}
			row := [][]byte{[]byte("1")}
			if strings.Contains(query.String, "pg_is_in_recovery") {
				row = lag
			}
			b.Send(&pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(row))})
			b.Send(&pgproto3.DataRow{Values: row})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		}
	}
}

func TestTheLagOfAReplicaIsWhatItSays(t *testing.T) {
	t.Parallel()
	second := 1.0
	for name, c := range map[string]struct {
		row    [][]byte
		reason Reason
		lag    *float64
	}{
		"no replica":       {[][]byte{[]byte("f"), []byte("0")}, OK, nil},
		"a second behind":  {[][]byte{[]byte("t"), []byte("1")}, OK, &second},
		"far behind":       {[][]byte{[]byte("t"), []byte("2.001")}, Behind, nil},
		"receives nothing": {[][]byte{[]byte("t"), nil}, NotReplicates, nil},
		"no number":        {[][]byte{[]byte("t"), []byte("x")}, Broken, nil},
		"another answer":   {[][]byte{[]byte("t")}, Broken, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, _ := mute(t, pgAnswers(c.row...))
			url, _ := start(t, map[string]string{"DBHEALTH_ENGINE": "postgres", "DBHEALTH_ADDRESS": addr, "DBHEALTH_DATABASE": "d", "DBHEALTH_MAX_LAG": "2s"})
			r := ready(t, url, c.reason)
			if r.Version != "15.0" || r.Rows != 1 {
				t.Errorf("%+v", r)
			}
			if c.reason == OK && (r.Lag == nil) != (c.lag == nil) || c.lag != nil && r.Lag != nil && *r.Lag != *c.lag {
				t.Errorf("%+v", r)
			}
		})
	}
}
