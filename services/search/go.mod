module github.com/flotilla-dev/flotilla/services/search

go 1.26.0

require (
	github.com/blevesearch/go-porterstemmer v1.0.3
	github.com/clipperhouse/uax29/v2 v2.7.0
	golang.org/x/text v0.43.0
)

require (
	github.com/tidwall/btree v1.8.2
	go.uber.org/goleak v1.3.0
	pgregory.net/rapid v1.3.0
)

require github.com/stretchr/testify v1.12.1 // indirect

replace github.com/flotilla-dev/flotilla/internal => ../../internal
