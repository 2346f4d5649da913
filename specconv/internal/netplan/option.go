// SPDX-License-Identifier: Apache-2.0

package netplan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/berth-run/berth/specconv/internal/decode"
	"github.com/berth-run/berth/specconv/internal/fault"
)

// ParseOptions parses the values of `--network`, one for each interface: key=value pairs
// separated by commas. They are a short form of the annotation. hosts, host, dns, search and
// dns-option belong to the container, with whichever interface they are given.
func ParseOptions(options []string) (*decode.Network, error) {
	n := &decode.Network{Version: NetworkVersion}
	for i, option := range options {
		d := decode.Interface{}
		given := make(map[string]string)
		for pair := range strings.SplitSeq(option, ",") {
			key, value, ok := strings.Cut(pair, "=")
			if !ok || value == "" {
				return nil, fault.New(fault.Element("--network", i), "not of the form key=value: %q", pair)
			}
			err := once(given, key, value)
			if err == nil {
				err = setNetworkOption(n, &d, key, value)
			}
			if err != nil {
				return nil, fault.In(err, fault.Element("--network", i))
			}
		}
		n.Interfaces = append(n.Interfaces, d)
	}
	return n, nil
}

func setNetworkOption(n *decode.Network, d *decode.Interface, key, value string) (err error) {
	switch key {
	case "bridge":
		d.Bridge = value
	case "host-name":
		d.HostName = value
	case "name":
		d.Name = value
	case "mac":
		d.MAC = value
	case "address":
		d.Addresses = append(d.Addresses, value)
	case "gateway":
		d.Gateways = append(d.Gateways, value)
	case "route":
		destination, gateway, _ := strings.Cut(value, "@")
		d.Routes = append(d.Routes, decode.Route{Destination: destination, Gateway: gateway})
	case "create":
		d.Create, err = yesOrNo(key, value)
	case "hairpin":
		d.Hairpin, err = yesOrNo(key, value)
	case "mtu":
		d.MTU, err = optionNumber(key, value)
	case "txqueuelen":
		d.TxQueueLen, err = optionNumber(key, value)
	default:
		return setNameOption(n, key, value)
	}
	return err
}

// setNameOption sets an option for name resolution.
func setNameOption(n *decode.Network, key, value string) error {
	switch key {
	case "hosts":
		yes, err := yesOrNo(key, value)
		if yes && n.Hosts == nil {
			n.Hosts = []decode.Host{}
		}
		return err
	case "host":
		name, address, ok := strings.Cut(value, "@")
		if !ok {
			return fault.New(key, "not of the form NAME@ADDRESS: %q", value)
		}
		n.Hosts = append(n.Hosts, decode.Host{Address: address, Names: []string{name}})
		return nil
	}
	r := n.Resolv
	if r == nil {
		r = new(decode.Resolv)
	}
	switch key {
	case "dns":
		r.Servers = append(r.Servers, value)
	case "search":
		r.Search = append(r.Search, value)
	case "dns-option":
		r.Options = append(r.Options, value)
	default:
		return fault.New(key, "unknown key")
	}
	n.Resolv = r
	return nil
}

// lists are the keys that may be given more than once.
var lists = [...]string{"address", "gateway", "route", "host", "dns", "search", "dns-option"}

// once refuses a second value for a key that can only have one.
func once(given map[string]string, key, value string) error {
	if first, twice := given[key]; twice && !slices.Contains(lists[:], key) {
		return fault.New(key, "given twice: %q and %q", first, value)
	}
	given[key] = value
	return nil
}

func yesOrNo(key, value string) (bool, error) {
	switch value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fault.New(key, "must be true or false, not %q", value)
}

func optionNumber(key, value string) (*uint32, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return nil, fault.New(key, "not a number: %q", value)
	}
	small := uint32(n)
	return &small, nil
}
