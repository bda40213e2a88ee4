module github.com/flotilla-dev/flotilla/infra/style

go 1.26.0
