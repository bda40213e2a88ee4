module github.com/flotilla-dev/flotilla/infra/local

go 1.26.0

replace github.com/flotilla-dev/flotilla/internal => ../../internal

require (
	github.com/alecthomas/kong v1.17.0
	github.com/flotilla-dev/flotilla/infra/pki v0.0.0
	github.com/flotilla-dev/flotilla/internal v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/caarlos0/env/v11 v11.4.2 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
)

replace github.com/flotilla-dev/flotilla/infra/pki => ../pki
