package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
)

// Runtime reaches into the task's container.
type Runtime interface {
	// Command runs a command beside the task and gives its exit status. A command that was ended
	// by a signal has the status 128 + signal. The context bounds it; nothing of it may be left after.
	Command(ctx context.Context, command *mesospb.CommandInfo) (int, error)
	// Dial opens a TCP connection from the task's network.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}

// Probe describes one kind of check with its times.
type Probe struct {
	kind     mesospb.CheckInfo_Type
	command  *mesospb.CommandInfo
	url      string
	address  string
	delay    time.Duration
	interval time.Duration
	timeout  time.Duration // 0: none
}

// maxRedirects is curl's limit, by which the original probes.
const maxRedirects = 50

// minInterval keeps a check without an interval from taking a whole processor.
const minInterval = 10 * time.Millisecond

// ForHealthCheck builds the probe of a health check. A check without a type is taken for
// the kind whose part it has: old frameworks only set the command.
func ForHealthCheck(check *mesospb.HealthCheck) (Probe, error) {
	kind := check.GetType()
	if kind == mesospb.HealthCheck_UNKNOWN {
		switch {
		case check.GetCommand() != nil:
			kind = mesospb.HealthCheck_COMMAND
		case check.GetHttp() != nil:
			kind = mesospb.HealthCheck_HTTP
		case check.GetTcp() != nil:
			kind = mesospb.HealthCheck_TCP
		}
	}
	probe := Probe{
		delay:    seconds(check.GetDelaySeconds()),
		interval: seconds(check.GetIntervalSeconds()),
		timeout:  seconds(check.GetTimeoutSeconds()),
	}
	switch kind {
	case mesospb.HealthCheck_COMMAND:
		probe.kind, probe.command = mesospb.CheckInfo_COMMAND, check.GetCommand()
	case mesospb.HealthCheck_HTTP:
		probe.kind = mesospb.CheckInfo_HTTP
		scheme := check.GetHttp().GetScheme()
		if scheme == "" {
			scheme = "http"
		}
		host := loopback(check.GetHttp().GetProtocol())
		probe.url = scheme + "://" + net.JoinHostPort(host, port(check.GetHttp().GetPort())) + check.GetHttp().GetPath()
	case mesospb.HealthCheck_TCP:
		probe.kind = mesospb.CheckInfo_TCP
		probe.address = net.JoinHostPort(loopback(check.GetTcp().GetProtocol()), port(check.GetTcp().GetPort()))
	default:
		return Probe{}, errors.New("HealthCheck must specify 'type'")
	}
	return probe, nil
}

// ForCheck builds the probe of a general check.
func ForCheck(check *mesospb.CheckInfo) (Probe, error) {
	probe := Probe{
		kind:     check.GetType(),
		delay:    seconds(check.GetDelaySeconds()),
		interval: seconds(check.GetIntervalSeconds()),
		timeout:  seconds(check.GetTimeoutSeconds()),
	}
	switch check.GetType() {
	case mesospb.CheckInfo_COMMAND:
		probe.command = check.GetCommand().GetCommand()
	case mesospb.CheckInfo_HTTP:
		probe.url = "http://" + net.JoinHostPort("127.0.0.1", port(check.GetHttp().GetPort())) + check.GetHttp().GetPath()
	case mesospb.CheckInfo_TCP:
		probe.address = net.JoinHostPort("127.0.0.1", port(check.GetTcp().GetPort()))
	default:
		return Probe{}, errors.New("CheckInfo must specify 'type'")
	}
	return probe, nil
}

func port(number uint32) string { return strconv.FormatUint(uint64(number), 10) }

func loopback(protocol mesospb.NetworkInfo_Protocol) string {
	if protocol == mesospb.NetworkInfo_IPv6 {
		return "::1"
	}
	return "127.0.0.1"
}

// Kind is the probe's kind as the statuses name it.
func (p Probe) Kind() mesospb.CheckInfo_Type { return p.kind }

// Healthy interprets a result as a health check does: command exit status 0, HTTP status 200
// to 399, connection made. The error says what was wrong.
func Healthy(status *mesospb.CheckStatusInfo) error {
	switch status.GetType() {
	case mesospb.CheckInfo_COMMAND:
		if code := status.GetCommand().GetExitCode(); code != 0 {
			return fmt.Errorf("Command exited with status %d", code)
		}
	case mesospb.CheckInfo_HTTP:
		if code := status.GetHttp().GetStatusCode(); code < 200 || code >= 400 {
			return fmt.Errorf("Unexpected HTTP response code: %d %s", code, http.StatusText(int(code)))
		}
	case mesospb.CheckInfo_TCP:
		if !status.GetTcp().GetSucceeded() {
			return errors.New("TCP connection failed")
		}
	}
	return nil
}

// once performs the probe one time. An error means that there is no result.
func (p Probe) once(ctx context.Context, runtime Runtime) (*mesospb.CheckStatusInfo, error) {
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	status := &mesospb.CheckStatusInfo{Type: p.kind.Enum()}
	switch p.kind {
	case mesospb.CheckInfo_COMMAND:
		code, err := runtime.Command(ctx, p.command)
		if err != nil {
			return nil, p.explain(ctx, "Command", err)
		}
		status.Command = &mesospb.CheckStatusInfo_Command{ExitCode: proto.Int32(int32(code))}
	case mesospb.CheckInfo_HTTP:
		code, err := get(ctx, runtime, p.url)
		if err != nil {
			return nil, p.explain(ctx, "HTTP request", err)
		}
		status.Http = &mesospb.CheckStatusInfo_Http{StatusCode: proto.Uint32(uint32(code))}
	case mesospb.CheckInfo_TCP:
		conn, err := runtime.Dial(ctx, "tcp", p.address)
		if err != nil && ctx.Err() != nil {
			return nil, p.explain(ctx, "TCP connection", err)
		}
		if err == nil {
			conn.Close()
		}
		status.Tcp = &mesospb.CheckStatusInfo_Tcp{Succeeded: proto.Bool(err == nil)}
	}
	return status, nil
}

func (p Probe) explain(ctx context.Context, what string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s timed out after %v", what, p.timeout)
	}
	return fmt.Errorf("%s failed: %w", what, err)
}

// get asks for a URL as the original's curl does: redirects followed, certificates not verified, the
// body thrown away.
func get(ctx context.Context, runtime Runtime, url string) (int, error) {
	transport := &http.Transport{
		DialContext:       runtime.Dial,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the task's own certificate names no loopback address
		DisableKeepAlives: true,
		Proxy:             nil,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport,
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) >= maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return nil
		},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	// Services that know curl's probes keep seeing the same kind of client.
	request.Header.Set("Accept", "*/*")
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	// A body that never ends must not hold the check: the status is known already.
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	if err != nil && ctx.Err() != nil {
		return 0, err
	}
	return response.StatusCode, nil
}
