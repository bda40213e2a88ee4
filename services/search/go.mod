module github.com/flotilla-dev/flotilla/services/search

go 1.26.0

require github.com/flotilla-dev/flotilla/internal v0.0.0

replace github.com/flotilla-dev/flotilla/internal => ../../internal
