package etcd

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo returns a logger for etcd that writes where the process does, and nothing
// while quiet is set. What etcd warns of at every start is for those who debug it.
func zapTo(log *slog.Logger, quiet *atomic.Bool) *zap.Logger { return zap.New(core{log, quiet}) }

type core struct {
	log   *slog.Logger
	quiet *atomic.Bool
}

func level(l zapcore.Level) slog.Level {
	switch {
	case l < zapcore.ErrorLevel:
		return slog.LevelDebug
	case l == zapcore.ErrorLevel:
		return slog.LevelWarn
	}
	return slog.LevelError
}

func (c core) Enabled(l zapcore.Level) bool {
	return !c.quiet.Load() && c.log.Enabled(context.Background(), level(l))
}

func (c core) With(fields []zapcore.Field) zapcore.Core {
	return core{slog.New(c.log.Handler().WithAttrs(attrs(fields))), c.quiet}
}

func (c core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

func (c core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.log.LogAttrs(context.Background(), level(e.Level), e.Message, attrs(fields)...)
	return nil
}

func (core) Sync() error { return nil }

func attrs(fields []zapcore.Field) []slog.Attr {
	values := zapcore.NewMapObjectEncoder()
	all := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		f.AddTo(values)
		all = append(all, slog.Any(f.Key, values.Fields[f.Key]))
	}
	return all
}
