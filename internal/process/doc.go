// Package process is what every program of the fleet has in common: how it is
// configured, what it listens on, how it answers probes, and how it ends.
//
// A program is a package with a Config that embeds Contract, and a Run:
//
//	var Program = process.Program{Name: "dictionary", About: "serves the definitions of words"}
//
//	type Config struct {
//		process.Contract
//		Data string `env:"DICTIONARY_DATA_URL,required" doc:"where the data comes from"`
//	}
//
//	func Run(ctx context.Context, cfg Config) error {
//		p, err := process.Open(ctx, Program, cfg.Contract, cfg)
//		if err != nil {
//			return err
//		}
//		loaded := p.Health.Gate("data", "not loaded yet")
//		p.Go("load", func(ctx context.Context) error { …; loaded.Open(); return nil })
//		p.Serve(&http.Server{Handler: …})
//		return p.Run(ctx)
//	}
//
// and its main is one call of Main.
//
// # Life
//
// Open opens the listeners: an address that is taken is an ordinary error, before
// anything runs. Run serves until ctx ends (SIGTERM or SIGINT, in Main), and then
// leaves in an order that loses no request:
//
//  1. /readyz answers 503; requests are still served.
//  2. DRAIN_DELAY passes, in which every pool that checks readiness moves away.
//  3. The data listeners close; requests in flight have DRAIN_TIMEOUT to finish.
//  4. Background work is cancelled, telemetry is flushed, administration closes.
//
// A second signal ends the process at once. A server or background task that
// fails ends it too, by the same steps without the delay, with the error. When
// Run returns no goroutine of the process is left.
package process
