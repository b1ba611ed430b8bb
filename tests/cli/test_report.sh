#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt report, on files of the test's own: good ones, and every way to be bad.
set -euo pipefail
shunt=$1/bin/shunt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
status=0
fail() {
  echo "FAILED: $*"
  status=1
}
expect() { # text, file
  grep -qF -- "$1" "$2" || fail "no \"$1\" in $2"
}

cat >good.json <<'EOF'
{ "shunt_result": 1, "title": "a <b> & 'c'", "model": true, "manifest": {"CPU": "<script>"},
  "comparisons": [{"name": "x-us", "unit": "us", "value": 2, "peer": "udp", "peer_value": 8,
    "ratio": 0.25}],
  "series": [
    {"name": "ours", "title": "it's 100 % \"ours\"; plot 'x'", "kind": "round-trip", "peer": false,
     "threads": 1, "batch": 1, "lost": 3, "rounds": [1.5, 2.5], "min_ns": 1000, "max_ns": 9000,
     "count": 100, "counts": [[1000, 98], [2000, 1], [9000, 1]]},
    {"name": "rate", "title": "rate", "kind": "rate", "peer": false, "threads": 2, "batch": 32,
     "lost": 0, "rounds": [1, 3, 2]}]}
EOF
cat >good.hgrm <<'EOF'
       Value     Percentile TotalCount 1/(1-Percentile)

       1.000 0.000000000000         10           1.00
       2.000 0.500000000000         50           2.00
      10.000 0.990000000000         99         100.00
      50.000 1.000000000000        100
#[Mean    =        2.000, StdDeviation   =        5.000]
#[Max     =       50.000, Total count    =          100]
EOF

# ---- Good files ----
"$shunt" report good.json good.hgrm --out page.html >said || fail "good files are refused"
expect "The report is in page.html" said
expect "a &lt;b&gt; &amp; 'c'" page.html
expect "&lt;script&gt;" page.html
grep -q '<script' page.html && fail "text of a file became HTML"
expect "good.hgrm" page.html
expect '<td class="lost">3</td>' page.html
expect "<td>2.000</td><td>1.000</td><td>3.000</td>" page.html # median, least, most
expect "<b>4.0&times;</b>2 us against 8 of udp" page.html
expect "<td>2.00</td><td>10.01</td><td>10.01</td><td>50.00</td><td>50.00</td><td>50.0</td>" \
  page.html # the percentiles of good.hgrm
if command -v gnuplot >/dev/null; then
  [ "$(grep -c '<svg' page.html)" = 3 ] || fail "there are not 3 plots"
  expect "it's 100 %" page.html
fi
"$shunt" report good.hgrm --hgrm-unit ms --json --out page.html >said || fail "no --hgrm-unit"
expect '"report":"page.html"' said
expect "<td>50000.00</td>" page.html

# Without gnuplot there are tables, and the page says why there is nothing else.
mkdir empty
PATH=$work/empty "$shunt" report good.json --out bare.html >said || fail "fails without gnuplot"
expect "there is no gnuplot" said
expect "there is no gnuplot" bare.html
expect "<td>2.000</td>" bare.html
grep -q '<svg' bare.html && fail "a plot without gnuplot"

# ---- Bad files ----
refuse() { # exit code, text, arguments
  local wanted=$1 text=$2 got=0
  shift 2
  rm -f out.html
  "$shunt" report --out out.html "$@" >refused 2>&1 || got=$?
  [ $got = "$wanted" ] || fail "report $* ended with $got, not $wanted: $(cat refused)"
  expect "$text" refused
  [ ! -e out.html ] || fail "report $* wrote a page all the same"
}
bad() { # text, sed script that makes good.json bad
  sed "$2" good.json >bad.json
  cmp -s good.json bad.json && fail "the script $2 changes nothing"
  refuse 1 "$1" bad.json
  expect "bad.json is no result file" refused
}
refuse 2 "an argument is missing"
refuse 2 "none of ns, us, ms, s" --hgrm-unit h good.hgrm
refuse 2 "one argument too many" good.json good.json good.json good.json good.json good.json \
  good.json good.json good.json
refuse 1 "No such file" none.json
refuse 1 "No such file" none.hgrm
refuse 1 "Is a directory" empty
: >nothing.json
refuse 1 "it is not JSON" nothing.json
bad "it is not JSON" 's/{ "shunt/{ shunt/'
bad 'no number "shunt_result"' 's/shunt_result/other/'
bad "another version" 's/"shunt_result": 1/"shunt_result": 2/'
bad "it lacks one of title, model" 's/"model": true/"model": 1/'
bad "it lacks one of title, model" 's/"manifest": {"CPU": "<script>"}/"manifest": []/'
bad "manifest is no text" 's/{"CPU": "<script>"}/{"CPU": 1}/'
bad "a comparison lacks" 's/"peer_value": 8/"peer_value": "8"/'
bad "of none of the kinds" 's/"kind": "rate"/"kind": "rat"/'
bad "a series lacks one of" 's/"lost": 3/"lost": -3/'
bad "a series lacks one of" 's/"title": "rate", //'
bad "rounds are no list" 's/\[1, 3, 2\]/[1, "x", 2]/'
bad "rounds are no list" 's/\[1, 3, 2\]/[1, -3]/'
bad "has no list of rounds" 's/"rounds": \[1, 3, 2\]/"rounds": 3/'
bad "no counts of the form" 's/\[1000, 98\]/[1000]/'
bad "no counts of the form" 's/\[1000, 98\]/[1000, -98]/'
bad "no counts of the form" 's/\[1000, 98\]/[99999999999999999, 98]/'
bad "no counts of the form" 's/\[1000, 98\]/[1000, 9223372036854775807]/'
bad "min_ns or max_ns" 's/"max_ns": 9000/"max_ns": 90/'
echo '[]' >list.json
refuse 1 'no number "shunt_result"' list.json
bad_hgrm() { # text, sed script
  sed "$2" good.hgrm >bad.hgrm
  refuse 1 "$1" bad.hgrm
  expect "bad.hgrm is no .hgrm file" refused
}
bad_hgrm "line 4: no value" 's/^ *2.000 0.5.*/nonsense/'
bad_hgrm "line 4: a value below 0" 's/^ *2.000 0.5/-2.000 0.5/'
bad_hgrm "line 4: a value below 0" 's/^ *2.000 0.5/1e99 0.5/'
bad_hgrm "line 4: a percentile outside" 's/^ *2.000 0.5/2.000 1.5/'
bad_hgrm "line 4: a count that falls" 's/         50  /         5  /'
bad_hgrm "no values before" '/^ *[0-9]/d'
head -c 3000 /dev/urandom >noise.json
refuse 1 "it is not JSON" noise.json

exit $status
