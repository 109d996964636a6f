//! Programs that no table knows: place and looks of a word have to be enough.
//! Every program and every secret here is made up.

use super::marked;

/// Lines with their secrets marked, a class of reasons each.
const SECRETS: &str = r#"
frobctl connect -h db7 -u anna -p «Xq7vTr2kLm»
frobctl -u anna -p«Xq7vTr2kLm» dump
frobctl -u anna -p «hunter2»
frobctl -k «Xq7vTr2kLm9wZ» list
frobctl list --auth anna:«hunter2»
frobctl --credentials=anna:«Xq7vTr2k» list
frobctl -c anna:«Summer2024!» sh
lftp -e "open -u anna,«Xq7vTr2kLm» h"
frobctl set-password anna «Summer2024»
frobctl user-password anna «Xq7vTr2kLm9w»
frobctl user_create anna localhost «Xq7vTr2kLm9w»
frobctl security:hash-password «hunter2»
frobctl app.db.password «Xq7vTr2kLm9w»
frobctl set wifi_password «zr5tkw0aq1»
frobctl auth try anna «Xq7vTr2kLm9w»
frobctl attach «Xq7vTr2kLm9wZb3c»
frobctl put a/b «Xq7vTr2kLm9wZb3c»
frobctl secret:create --name DSN --value «hunter2hunter»
frobctl set-pin «7741»
frobctl config:system:set dbpassword --value='«irWr9E0n0d2-cBz8»'
net rpc user add bob '«letmein4everHzd»' -S h7
net rpc password bob «hunter2hunter» -S h7
frobctl channel add https://c.example.com/t/«ac-d4861e69867b7bd2896c565437f88993dfab»/acme
frobctl --new-pin «77412096» --so-pin «11223344»
frobctl --setup-key «Xq7vTr2kLm9wZb3c»
frobctl login -t «Xq7vTr2kLm9wZb3c»
frobctl cfg password= «hunter22»
$env:API_KEY = "«Xq7vTr2kLm9wZb3c»"
echo «Xq7vTr2kLm9wZb3c» | frobctl init
frobctl init <<< «Xq7vTr2kLm9wZb3c»
echo -n 'anna:«hunter2»' | base64
read -rs DB_PASSWORD <<< '«hunter2»'
curl -H 'X-Frob: «Xq7vTr2kLm9wZb3c»' https://h
curl -u «Xq7vTr2kLm9wZb3c»: https://h
ssh sw1 'tacacs-server key «Xq7vTr2kLm9w»'
ssh sw1 'radius-server host 192.0.2.8 key 7 «Xq7vTr2kLm9w»'
ssh sw1 'snmp-server community «n3tw0rkRO» RO'
ssh sw1 'ip ospf message-digest-key 1 md5 «Xq7vTr2kLm9w»'
ffmpeg -i a.mp4 -f flv rtmp://live.example.org/app/«live_4231_Xq7vTr2kLm9wZb3c»
echo "define('DB_PASSWORD', '«hunter2»');" >> a.php
cat > s.xml <<E⏎<server><password>«hunter2»</password></server>⏎E
sed -i 's|__DB_PASSWORD__|«Xq7vTr2k»|' a.conf
python3 -c "import jwt; print(jwt.encode({'a': 1}, '«Xq7vTr2kLm9wZb3c»', 'HS256'))"
echo 'h : PSK "«Xq7vTr2kLm9w»"' >> /etc/ipsec.secrets
echo 'anna pptpd «Xq7vTr2kLm9w» *' >> /etc/ppp/chap-secrets
sqlcmd -Q "ALTER LOGIN anna WITH PASSWORD=N'«Oslo2024»'"
frobctl -e "db_pass=«Xq7vTr2kLm9w» env=prod" run
"#;

/// Words that look alike in places that say nothing.
const HARMLESS: &str = r#"
docker run -e POSTGRES_PASSWORD= postgres
frobctl --env API_TOKEN= Xq7vTr2k/img
net user anna /add
frobctl list --token= --value=plain
frobctl -p 8080 -u anna
frobctl -p /srv/Data2024x
frobctl -u 1000:1000 run
frobctl -c conf:main
frobctl -k TestSecretRotation2
frobctl get password Summer2024
frobctl show token Xq7vTr2kLm9w
frobctl delete secret Xq7vTr2kLm9w
frobctl describe Xq7vTr2kLm9wZb3c
frobctl token.json
frobctl login server01
frobctl put a/b report2024
frobctl set-password anna
frobctl secret create --name db
frobctl --pin 4
frobctl -H 8fa3c1d2e4b5a69788776655443322110f0e0d0c
mkdir -p Build2024Release
cp -p IMG20240101xY.jpg b
grep -w Xq7vTr2kLm9wZb3c a.log
grep -A Xq7vTr2kLm9wZb3c a.log
ls Xq7vTr2kLm9wZb3c
git show -p Xq7vTr2kLm9wZb3c
echo Xq7vTr2kLm9wZb3c | grep x
echo aGVsbG8gd29ybGQhIGhvdyBhcmUgeW91 | frobctl decode
curl -H 'X-Request-Id: Xq7vTr2kLm9wZb3c' https://h
curl -H 'Content-MD5: Xq7vTr2kLm9wZb3cXq7vTg==' https://h
sed -i 's/password/passphrase2/' a
sed -i 's/^PASSWORD=.*/PASSWORD=/' a
cat > s.xml <<E⏎<password>${db.password}</password>⏎E
python3 -c "f('user', 'password', 'email')"
python3 -c "print(ObjectId('507f1f77bcf86cd799439011'))"
minisign -Vm a.tgz -P RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3
npm publish --otp=123456
kubectl create secret generic db2
kubectl exec -it db -c app -p
"#;

fn lines(table: &str) -> impl Iterator<Item = String> + '_ {
    table.lines().filter(|l| !l.is_empty()).map(|l| l.replace('⏎', "\n"))
}

#[test]
fn secrets_of_unknown_programs_are_cut_out() {
    let missed: Vec<String> = lines(SECRETS)
        .filter_map(|wanted| {
            let made = marked(&wanted.replace(['«', '»'], ""));
            (made != wanted).then(|| format!("{wanted}\n  -> {made}"))
        })
        .collect();
    assert!(missed.is_empty(), "{} wrong:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn places_that_say_nothing_stay() {
    let touched: Vec<String> = lines(HARMLESS).map(|line| marked(&line)).filter(|made| made.contains('«')).collect();
    assert!(touched.is_empty(), "{}", touched.join("\n"));
}

/// The next number of a small generator.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// What a generator of passwords makes: any place that takes one hides it whole.
#[test]
fn whatever_a_generator_makes_is_found_in_every_place() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = 45;
    let (mut all, mut missed) = (0, Vec::new());
    for _ in 0..400 {
        let length = 12 + next(&mut state) % 12;
        let value: String = (0..length)
            .map(|_| char::from(ALPHABET[usize::try_from(next(&mut state)).unwrap() % ALPHABET.len()]))
            .collect();
        for place in
            ["frobctl -u anna -p «»", "frobctl --auth anna:«»", "frobctl set-password anna «»", "frobctl unlock «»"]
        {
            let wanted = place.replace("«»", &format!("«{value}»"));
            all += 1;
            if marked(&wanted.replace(['«', '»'], "")) != wanted {
                missed.push(wanted);
            }
        }
    }
    // A value of letters of one size, or one that reads like words, is no secret by its looks.
    assert!(missed.len() * 50 <= all, "{} of {all}: {:?}", missed.len(), missed.iter().take(8).collect::<Vec<_>>());
}

/// Ids and digests of any length, names made of words: nothing of them is cut in the same places' neighbourhood.
#[test]
fn ids_and_names_stay_in_every_place() {
    const WORDS: &[&str] =
        &["Build", "Release", "token", "Secret", "user", "Test", "report", "Backup", "node", "Parser"];
    let mut state = 7;
    for _ in 0..400 {
        let hex =
            (0..8 + next(&mut state) % 57).map(|_| format!("{:x}", next(&mut state) % 16)).collect::<String>() + "a";
        let words: String =
            (0..3).map(|_| WORDS[usize::try_from(next(&mut state)).unwrap() % WORDS.len()]).collect::<String>() + "2";
        for value in [hex, words] {
            for place in
                ["git show V", "frobctl describe V", "frobctl -H V", "frobctl --id V", "docker logs V --tail 5"]
            {
                let line = place.replace('V', &value);
                assert_eq!(marked(&line), line);
            }
        }
    }
}
