module github.com/flotilla-dev/flotilla/loadtest

go 1.26.0

require (
	github.com/flotilla-dev/flotilla/internal v0.0.0
	github.com/go-sql-driver/mysql v1.10.1
	github.com/quic-go/quic-go v0.65.0
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.48.0
)

require (
	filippo.io/edwards25519 v1.2.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/quic-go/qpack v0.6.0 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/net v0.59.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)

replace github.com/flotilla-dev/flotilla/internal => ../internal
