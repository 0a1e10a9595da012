//go:build !nospreadd

package cli

import (
	"io"
	"net/netip"

	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/internal/getopt"
	"wackamole/internal/logger"
	"wackamole/internal/stream"
	"wackamole/spreadproto/spreadd"
)

// defaultListen is where spreadd listens unless told otherwise.
const defaultListen = "127.0.0.1:4803"

// runSpreadd is wackamole spreadd.
func runSpreadd(args []string, stdout, stderr io.Writer) int {
	address := defaultListen
	flags, operands, err := getopt.Parse("l:", args)
	if err == nil && len(operands) > 0 {
		err = fmt.Errorf("unexpected argument %q", operands[0])
	}
	if err != nil {
		fmt.Fprintf(stderr, "wackamole spreadd: %v\nusage: wackamole spreadd [-l ADDRESS:PORT]\n", err)
		return exitUsage
	}
	for _, f := range flags {
		address = f.Value
	}
	listener, err := listenTCP(address)
	if err != nil {
		fmt.Fprintf(stderr, "wackamole spreadd: %v\n", err)
		return exitFailure
	}
	log := logger.New(logger.NewWriter(stdout))
	log.Printf("Spread daemon on %v: of this one machine, it forms no ring with others and does not survive its machine; for trying out", listener.Addr())
	server := spreadd.New(spreadd.Options{Logf: log.Printf})
	ctx, stop := untilEnd()
	defer stop()
	context.AfterFunc(ctx, server.Close)
	if err := server.Serve(spreadd.From(listener), "localhost"); err != nil {
		fmt.Fprintf(stderr, "wackamole spreadd: %v\n", err)
		return exitFailure
	}
	return exitDone
}

// listenTCP listens at ADDRESS:PORT, or on all addresses at :PORT.
func listenTCP(address string) (*stream.Listener, error) {
	if address != "" && address[0] == ':' {
		address = "0.0.0.0" + address
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("-l %s: give an IP address and a port, such as %s", address, defaultListen)
	}
	return stream.Listen(stream.TCP(at), nil)
}
