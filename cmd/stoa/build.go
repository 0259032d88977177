package main

import (
	"os"
	"runtime/debug"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent"
	"stoa/internal/mesos/mesospb"
)

// build is what the binary knows of its making.
type build struct {
	revision string
	at       time.Time
}

// readBuild takes the commit from the Go tool's stamp. A binary made outside a
// checkout has none; its file's time stands in, so that /version is never without.
func readBuild() build {
	var b build
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.revision = s.Value
			case "vcs.time":
				b.at, _ = time.Parse(time.RFC3339, s.Value)
			}
		}
	}
	if b.at.IsZero() {
		if path, err := os.Executable(); err == nil {
			if stat, err := os.Stat(path); err == nil {
				b.at = stat.ModTime()
			}
		}
	}
	return b
}

// date is the form of src/common/build.cpp.
func (b build) date() string { return b.at.UTC().Format("2006-01-02 15:04:05") }

func (b build) seconds() float64 { return float64(b.at.Unix()) }

func (b build) master() *mesospb.VersionInfo {
	v := &mesospb.VersionInfo{
		Version: proto.String(compatVersion), BuildDate: proto.String(b.date()),
		BuildTime: proto.Float64(b.seconds()), BuildUser: proto.String("stoa"),
	}
	if b.revision != "" {
		v.GitSha = proto.String(b.revision)
	}
	return v
}

func (b build) agent() agent.Build {
	return agent.Build{Version: compatVersion, GitSHA: b.revision, Date: b.date(), Time: b.seconds(), User: "stoa"}
}
