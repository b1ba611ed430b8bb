#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Groups that are received over AF_XDP don't dry up behind a switch that snoops: its general queries,
# of IGMP and MLD, are answered for each group, whatever the port's rules; and at the end come leaves.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"
market=$1/bin/market-data

# querier: the switch. Asks on v0 until a current-state record (mode is exclude, RFC 3376 4.2.12,
# RFC 3810 5.2.12) of each group has come, for 20 seconds at most. ff:ff:ff:ff:ff:ff asks nobody.
querier() {
  cat <<'PERL'
    use strict;
    use Socket qw(inet_pton inet_ntop AF_INET AF_INET6);
    my %wanted = map { $_ => 1 } @ARGV;
    open(my $f, "<", "/sys/class/net/v0/ifindex") or die $!;
    my $ifindex = <$f>;
    socket(my $s, 17, 3, 0x0300) or die $!;
    bind($s, pack("S n l S C C a8", 17, 3, $ifindex, 0, 0, 0, "")) or die $!;
    sub sum {
      my $sum = 0;
      $sum += $_ for unpack("n*", $_[0] . (length($_[0]) & 1 ? "\0" : ""));
      $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
      return pack("n", ~$sum & 0xffff);
    }
    sub summed { my ($m, $at, $before) = @_; substr($m, $at, 2) = sum($before . $m); return $m; }
    my $igmp = summed(pack("C C n N C C n", 0x11, 1, 0, 0, 2, 125, 0), 2, "");
    my ($from4, $all4) = map { inet_pton(AF_INET, $_) } "10.82.60.2", "224.0.0.1";
    my $ip = pack("C C n n n C C n a4 a4 N", 0x46, 0xc0, 24 + 12, 0, 0, 1, 2, 0, $from4, $all4,
                  0x94040000);
    my ($from6, $all6) = map { inet_pton(AF_INET6, $_) } "fe80::2", "ff02::1";
    my $mld = summed(pack("C C n n n a16 C C n", 130, 0, 0, 100, 0, "", 2, 125, 0), 2,
                     $from6 . $all6 . pack("N N", 28, 58));
    my @queries = (
      pack("H12 H12 n", "01005e000001", "020000000002", 0x0800) . summed($ip, 10, "") . $igmp,
      pack("H12 H12 n", "333300000001", "020000000002", 0x86dd) .
        pack("N n C C a16 a16 H16", 0x60000000, 36, 0, 1, $from6, $all6, "3a00050200000100") . $mld);
    my ($end, $next) = (time + 20, 0);
    while (%wanted && time < $end) {
      if (time != $next) { $next = time; send($s, $_, 0) for @queries; }
      my $ready = "";
      vec($ready, fileno($s), 1) = 1;
      next unless select($ready, undef, undef, 0.1);
      recv($s, my $frame, 2000, 0);
      my ($records, $bytes, $family);
      if (unpack("x12 n", $frame) == 0x0800 && unpack("x23 C", $frame) == 2) {
        ($records, $bytes, $family) = (substr($frame, 14 + 4 * (unpack("x14 C", $frame) & 15)), 4, AF_INET);
        next unless unpack("C", $records) == 0x22;
      } elsif (unpack("x12 n", $frame) == 0x86dd && unpack("x20 C x33 C", $frame . "\0" x 60) == 0) {
        ($records, $bytes, $family) = (substr($frame, 14 + 48), 16, AF_INET6);
        next unless unpack("C", $records) == 143;
      } else { next; }
      my $n = unpack("x6 n", $records);
      for (my $at = 8; $n-- && $at + 4 + $bytes <= length($records);) {
        my ($kind, $more, $sources, $group) = unpack("x$at C C n a$bytes", $records);
        delete $wanted{inet_ntop($family, $group)} if $kind == 2;
        $at += 4 + $bytes * (1 + $sources) + 4 * $more;
      }
    }
    print "no report of $_\n" for sort keys %wanted;
    print "all reported\n" unless %wanted;
PERL
}

# reported GROUP...: the queries are answered for all of them.
reported() {
  far perl -e "$(querier)" "$@"
  says "all reported"
}

# A datagram to each group, by their kernel.
send_to() {
  far perl -MSocket=inet_pton,pack_sockaddr_in,AF_INET -e '
    socket(my $s, AF_INET, 2, 17) or die $!;
    send($s, "x" x 100, 0, pack_sockaddr_in(31001, inet_pton(AF_INET, $_))) or die $! for @ARGV;' "$@"
}

# stop_with NAME GROUP...: end the last one started by SIGINT, with a datagram to each group on its ring
# that comes when it has had no CPU for a while: they lie there when the signal is seen.
stop_with() {
  local name=$1
  shift
  kill -STOP "$child"
  send_to "$@"
  kill -INT "$child"
  kill -CONT "$child"
  finish "$name" 0
}

# left GROUP...: v0 is in none of these groups any more.
left() {
  for group in "$@"; do
    ! ip -n "$near_space" maddr show dev v0 | grep -q " $group\$" || fail "$group was not left"
  done
}

fresh_veth() {
  make_veth
  ip -n "$near_space" addr add $near_ip/24 dev v0
  ip -n "$far_space" route add 224.0.0.0/4 dev v0
  ip netns exec "$near_space" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/v0/disable_ipv6' 2>/dev/null
}

groups=239.1.1.1,239.1.1.2
fresh_veth
if [ -e /proc/sys/net/ipv6 ]; then
  groups=$groups,ff3e::8000:1
else
  echo "no IPv6 here: MLD is left out"
fi
# shellcheck disable=SC2086
for mode in skb drv; do
  for rules in "" "&rules=udp dst 239.0.0.0/8 port 31001" "&rules=all"; do
    fresh_veth
    start recv recv --group $groups "xdp:v0?mode=$mode$rules"
    grep -q "239.1.1.2, joined by the kernel" "$scratch/recv" || fail "no word of the groups"
    reported ${groups//,/ }
    stop_with recv 239.1.1.1 239.1.1.2
    case $rules in
    *udp*) count frames 2 ;;
    *)
      got=$(sed -n 's/^  multicast  *\([0-9]*\)$/\1/p' "$scratch/out")
      [ "${got:-0}" -ge 2 ] || fail "of the groups' two frames ${got:-0} came"
      ;;
    esac
    left ${groups//,/ }
    program_gone
  done
done

# With a file of rules the queries come before these, too.
echo "all # but what is passed before" >"$scratch/rules"
fresh_veth
start recv recv --group $groups "xdp:v0?rules_file=$scratch/rules"
# shellcheck disable=SC2086
reported ${groups//,/ }
stop recv

fresh_veth
start capture capture -o "$scratch/out.pcapng" --group $groups xdp:v0
# shellcheck disable=SC2086
reported ${groups//,/ }
stop_with capture 239.1.1.1
grep -q "^  received  *[1-9]" "$scratch/out" || fail "what lay in the ring was not recorded"
# shellcheck disable=SC2086
left ${groups//,/ }

# market-data: by the kernel where the rules leave it the queries, else by itself.
if [ -x "$market" ]; then
  for rules in "" "?rules=udp dst 239.192.0.0/16"; do
    fresh_veth
    ip netns exec "$near_space" "$market" receive "xdp:v0$rules" --seconds 60 \
      --feed alpha=239.192.1.1:31001,239.192.1.2:31002 >"$scratch/receiver" 2>"$scratch/receiver.err" &
    child=$!
    children+=("$child")
    for _ in $(seq 100); do
      ip -n "$near_space" maddr show dev v0 | grep -q "inet  *239.192.1.2" && break
      sleep 0.1
    done
    reported 239.192.1.1 239.192.1.2
    kill -INT "$(pgrep -P "$child" 2>/dev/null || echo "$child")"
    finish receiver 3 # no session has ended
    left 239.192.1.1
  done
else
  echo "there is no $market: left out"
fi

run 2 recv --group 10.0.0.1 xdp:v0
says "\"10.0.0.1\" is no group"
run 2 recv --group 239.1.1.1,, xdp:v0
says "is no group"

done_testing
