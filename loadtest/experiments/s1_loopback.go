package experiments

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/openloop"
	"github.com/flotilla-dev/flotilla/loadtest/proof"
	"github.com/flotilla-dev/flotilla/loadtest/rig"
)

// loopback asks application and sidecar at every address that the machine has. The
// packets stay on the machine.
func loopback(ctx context.Context, r *proof.Report) error {
	g := rig.New(r)
	defer g.Close()
	free, err := rig.Addr()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(free)
	if err != nil {
		return err
	}
	pod, err := newLegacyPod(ctx, g, map[string]string{"LISTEN_ADDR": ":" + port})
	if err != nil {
		return err
	}
	_, appPort, err := net.SplitHostPort(pod.app.Data)
	if err != nil {
		return err
	}
	addresses, err := otherAddresses()
	if err != nil {
		return err
	}
	t := proof.Table{Title: "Who answers where", Columns: []string{"address", "application", "sidecar"}}
	app, sidecar := 0, 0
	for _, address := range addresses {
		openly := dialled(ctx, net.JoinHostPort(address, appPort))
		client, err := openloop.Target{URL: "https://" + legacyName, Address: net.JoinHostPort(address, port), Roots: pod.authority.Pool}.Open()
		if err != nil {
			return err
		}
		a := client.Get(ctx, "/", nil)
		client.Close()
		secure := "refused"
		if a.Err == nil && a.Status == 200 {
			sidecar++
			secure = "answers"
		}
		if openly == "answers" {
			app++
		}
		t.Rows = append(t.Rows, []string{address, openly, secure})
	}
	if got := dialled(ctx, pod.app.Data); got != "answers" {
		return fmt.Errorf("the application does not answer at its own address: %s", got)
	}
	r.Claim(proof.Exactly("other addresses at which the application's port answers", app, 0, fmt.Sprintf("of %d", len(addresses))))
	r.Claim(proof.Exactly("of these, the sidecar answers at", sidecar, len(addresses), ""))
	r.Table(t)
	if len(addresses) == 1 {
		r.Note("This machine has no address but those of loopback: 127.0.0.2 stands for another one.")
	}
	return nil
}

// otherAddresses are those of the machine, and one of loopback that the application
// does not listen on.
func otherAddresses() ([]string, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	addresses := []string{"127.0.0.2"}
	for _, a := range all {
		network, ok := a.(*net.IPNet)
		if ok && !network.IP.IsLinkLocalUnicast() && !network.IP.Equal(net.IPv4(127, 0, 0, 1)) {
			addresses = append(addresses, network.IP.String())
		}
	}
	return addresses, nil
}

// dialled says what a connection to an address comes to.
func dialled(ctx context.Context, addr string) string {
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "refused"
	}
	_ = conn.Close() // that it was made is the answer
	return "answers"
}
