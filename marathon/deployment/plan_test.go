package deployment_test

import (
	"fmt"
	"strings"
	"testing"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

func define(appID id.Path, instances int, cmd string, needs ...id.Path) *app.App {
	return &app.App{
		ID: appID, Cmd: "sleep " + cmd, Instances: instances, Dependencies: needs, Role: "*",
		Backoff:  app.Backoff{Factor: 1.15},
		Networks: []app.Network{{Mode: app.NetworkHost}}, VersionInfo: app.NewConfig(1),
	}
}

func tree(apps ...*app.App) *group.Root {
	root := group.NewRoot(1, false)
	for _, a := range apps {
		root = root.WithApp(a, 1)
	}
	return root
}

// text writes a plan as "Stop /a | Start /b | Restart /c /d".
func text(p *deployment.Plan) string {
	var steps []string
	for _, s := range p.Steps {
		var actions []string
		for _, a := range s.Actions {
			actions = append(actions, fmt.Sprintf("%s %s", strings.TrimSuffix(string(a.Kind), "Application"), a.App.ID))
		}
		steps = append(steps, strings.Join(actions, ", "))
	}
	return strings.Join(steps, " | ")
}

func TestPlans(t *testing.T) {
	restarted := define("/a", 1, "x").WithVersionInfo(app.NewConfig(1).Scaled(2))
	executor := define("/a", 1, "x").WithVersionInfo(app.NewConfig(1).Scaled(2))
	executor.ExecutorResources = &app.ExecutorResources{CPUs: 1}
	labelled := define("/a", 1, "x")
	labelled.Labels = app.Map[string]{{Key: "k", Value: "v"}}
	old := define("/a", 1, "x")
	for _, c := range []struct {
		name     string
		from, to *group.Root
		want     string
	}{
		{"nothing", tree(old), tree(old), ""},
		{"new app", tree(), tree(define("/a", 2, "x")), "Start /a | Scale /a"},
		{"new app of none", tree(), tree(define("/a", 0, "x")), "Start /a | Scale /a"},
		{"removed", tree(define("/a", 1, "x"), define("/b", 1, "x")), tree(), "Stop /a, Stop /b"},
		{"scaled", tree(define("/a", 1, "x")), tree(define("/a", 3, "x")), "Scale /a"},
		{"changed", tree(define("/a", 1, "x")), tree(define("/a", 1, "y")), "Restart /a"},
		{"changed and scaled", tree(define("/a", 1, "x")), tree(define("/a", 5, "y")), "Restart /a"},
		{"changed and suspended", tree(define("/a", 1, "x")), tree(define("/a", 0, "y")), "Scale /a"},
		{"a label only", tree(define("/a", 1, "x")), tree(labelled), "Restart /a"},
		{"restart asked for", tree(define("/a", 1, "x")), tree(restarted), "Restart /a"},
		{"executor resources only", tree(define("/a", 1, "x")), tree(executor), ""},
		{
			"one goes, one comes, one changes",
			tree(define("/a", 1, "x"), define("/b", 1, "x")), tree(define("/b", 1, "y"), define("/c", 1, "x")),
			"Stop /a | Start /c | Restart /b, Scale /c",
		},
		{
			"a chain", tree(),
			tree(define("/p/web", 1, "x", "/p/service"), define("/p/service", 1, "x", "/p/db"), define("/p/db", 1, "x")),
			"Start /p/db, Start /p/service, Start /p/web | Scale /p/db | Scale /p/service | Scale /p/web",
		},
		{
			"an untouched app between two that change",
			tree(define("/a", 1, "x", "/b"), define("/b", 1, "x", "/c"), define("/c", 1, "x")),
			tree(define("/a", 1, "y", "/b"), define("/b", 1, "x", "/c"), define("/c", 1, "y")),
			"Restart /c | Restart /a",
		},
		{
			"on a whole group", tree(),
			tree(define("/a", 1, "x", "/g"), define("/g/b", 1, "x"), define("/g/h/c", 1, "x")),
			"Start /a, Start /g/b, Start /g/h/c | Scale /g/b, Scale /g/h/c | Scale /a",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text(deployment.NewPlan("id", c.from, c.to, 2, nil)); got != c.want {
				t.Errorf("plan %q, want %q", got, c.want)
			}
		})
	}
}

func TestConflict(t *testing.T) {
	a := deployment.NewPlan("1", tree(), tree(define("/a", 1, "x")), 2, nil)
	b := deployment.NewPlan("2", tree(), tree(define("/b", 1, "x")), 2, nil)
	both := deployment.NewPlan("3", tree(), tree(define("/a", 1, "x"), define("/b", 1, "x")), 2, nil)
	if a.ConflictsWith(b) || !a.ConflictsWith(both) || !both.ConflictsWith(b) {
		t.Error("wrong conflicts")
	}
}

func TestRevert(t *testing.T) {
	v := func(a *app.App, version timestamp.Timestamp) *app.App {
		return a.WithVersionInfo(app.NewConfig(version))
	}
	t.Run("back to the beginning", func(t *testing.T) {
		from := tree(define("/a", 1, "x"), define("/g/b", 1, "x"))
		to := tree(v(define("/a", 1, "y"), 2), v(define("/h/i/c", 1, "x"), 2))
		p := deployment.NewPlan("id", from, to, 2, nil)
		got := p.Revert(to, 3)
		if got.App("/a").Cmd != "sleep x" || got.App("/g/b") == nil || got.App("/h/i/c") != nil {
			t.Error("apps are not as they were")
		}
		if got.Find("/h") != nil || got.Find("/g") == nil {
			t.Error("groups are not as they were")
		}
	})
	t.Run("others' changes stay", func(t *testing.T) {
		from := tree()
		to := tree(define("/g/a", 1, "x"))
		p := deployment.NewPlan("id", from, to, 2, nil)
		now := to.WithApp(define("/g/other", 1, "x"), 3)
		got := p.Revert(now, 4)
		if got.App("/g/a") != nil || got.App("/g/other") == nil {
			t.Error("want only /g/a to go")
		}
	})
	t.Run("a restart is taken back by a restart", func(t *testing.T) {
		from := tree(define("/a", 1, "x"))
		to := tree(define("/a", 1, "x").WithVersionInfo(app.NewConfig(1).Scaled(2)))
		p := deployment.NewPlan("id", from, to, 2, nil)
		back, err := group.Prepare(to, p.Revert(to, 3), 3, group.Settings{ServicePorts: group.PortRange{Min: 1, Max: 2}})
		if err != nil {
			t.Fatal(err)
		}
		if got := text(deployment.NewPlan("id", to, back, 3, nil)); got != "Restart /a" {
			t.Errorf("plan %q", got)
		}
	})
	t.Run("dependencies of groups", func(t *testing.T) {
		from := tree(define("/g/a", 1, "x"), define("/h/b", 1, "x"))
		g := *from.Find("/g")
		g.Dependencies = []id.Path{"/h"}
		to := from.WithGroup(&g, 2)
		got := deployment.NewPlan("id", from, to, 2, nil).Revert(to, 3)
		if len(got.Find("/g").Dependencies) != 0 {
			t.Errorf("dependencies %v are left", got.Find("/g").Dependencies)
		}
	})
}
