package clients

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/gogo/protobuf/proto"
	"github.com/mesos/mesos-go/api/v0/auth"
	"github.com/mesos/mesos-go/api/v0/auth/sasl"
	mesos "github.com/mesos/mesos-go/api/v0/mesosproto"
	sched "github.com/mesos/mesos-go/api/v0/scheduler"
	"golang.org/x/net/context"
)

func as(principal, secret string) func(*sched.DriverConfig) {
	return func(c *sched.DriverConfig) {
		c.Framework.Principal = proto.String(principal)
		c.Credential = &mesos.Credential{Principal: proto.String(principal), Secret: proto.String(secret)}
		c.WithAuthContext = func(ctx context.Context) context.Context {
			return sasl.WithBindingAddress(auth.WithLoginProvider(ctx, sasl.ProviderName), net.IPv4(127, 0, 0, 1))
		}
	}
}

// A master that asks drivers who they are believes those who know their secret.
func TestV0FrameworkAuthenticates(t *testing.T) {
	t.Parallel()
	credentials := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(credentials, []byte("marathon a-long-secret\nchronos another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startMaster(t, "--credentials="+credentials, "--authenticate_frameworks")
	f := startV0(t, c, nil, as("marathon", "a-long-secret"))
	if shown, _ := c.framework(f.awaitRegistered().GetValue()); shown.Principal != "marathon" {
		t.Errorf("shown as %+v", shown)
	}
	// Without a proof there is an answer, too: the end of the driver.
	without := startV0(t, c, nil)
	if text, want := without.errors.next(t, "an error"), "is not authenticated"; len(text) < len(want) || text[len(text)-len(want):] != want {
		t.Errorf("without a credential: %q", text)
	}
	// A driver that is not believed does not even try to register.
	wrong := startV0(t, c, nil, as("chronos", "a wrong secret"))
	other := startV0(t, c, nil, as("chronos", "another"))
	other.awaitRegistered()
	if n := len(wrong.registered.arrived); n > 0 {
		t.Errorf("registered with a wrong secret, %d times", n)
	}
	if active, _ := c.frameworks(); len(active) != 2 {
		t.Errorf("there are %+v", active)
	}
}
