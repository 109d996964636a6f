//! Programs and services, one line each; `«…»` is what has to be cut out.
//! Every secret here is made up.

use super::marked;

/// Lines with their secrets marked.
const SECRETS: &str = r#"
mysql -h db -u root -p«Xq7vTr2k» shop
mysqldump --user=root --password=«Xq7vTr2k» shop
mysql -u app --password='«p w;d»' shop
mongosh -u root -p «Xq7vTr2k» --host db
mongosh "mongodb+srv://app:«Xq7vTr2kLm»@c0.example.net/db"
PGPASSWORD=«Xq7vTr2k» psql -h db -U app
psql "host=db user=app password=«Xq7vTr2k» dbname=x"
psql -c "ALTER ROLE app WITH PASSWORD '«Xq7vTr2k»'"
sqlcmd -S db -U sa -P '«Xq7v!Tr2k»' -Q 'select 1'
REDISCLI_AUTH=«Xq7vTr2k» redis-cli ping
redis-cli -u redis://:«Xq7vTr2k»@cache:6379/0
redis-cli CONFIG SET requirepass «Xq7vTr2k»
cypher-shell -u neo4j -p «Xq7vTr2k» 'MATCH (n) RETURN n'
rabbitmqctl change_password svc «Xq7vTr2k»
mosquitto_pub -u dev -P «Xq7vTr2k» -t a -m b
influx --token «Xq7vTr2kLm9wZb3c==» query x
curl -u deploy:«Xq7vTr2k» https://h/x
curl -udeploy:«Xq7vTr2k» https://h/x
curl --user "deploy:«Xq7vTr2k»" https://h/x
curl -x http://p:«Xq7vTr2k»@proxy:3128 https://h
curl -H "X-Api-Key: «f0a1b2c3d4e5f60718293a4b5c6d7e8f»" https://h
curl -H 'PRIVATE-TOKEN: «glpat-a1B2c3D4e5F6g7H8i9J0»' https://gitlab.example.com/api/v4
curl -H 'DD-API-KEY: «f0a1b2c3d4e5f60718293a4b5c6d7e8f»' https://api.datadoghq.com
curl -H 'Authorization: token «a1B2c3D4e5F6g7H8i9J0»' https://h
curl -H 'Cookie: theme=dark; sessionid=«a1b2c3d4e5f6a7b8»' https://h
curl -F 'file=@x' -F "api_key=«Xq7vTr2kLm9wZb3c»" https://h
curl "https://h/x?access_token=«Xq7vTr2kLm9wZb3c»&page=2"
curl "https://acme.blob.core.windows.net/c?sv=2022-11-02&sig=«Xq7vTr2kLm9wZb3cDf5g%3D»"
curl -X POST https://api.telegram.org/bot«123456789:AAE1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q»/sendMessage
curl https://discord.com/api/webhooks/«112233445566778899/a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8»
curl -d '{"grant_type":"password","client_secret":"«Xq7vTr2kLm9w»"}' https://h
wget --header="Authorization: Bearer «Xq7vTr2kLm9wZb3c»" https://h
wget --http-password=«Xq7vTr2k» https://h
http -a admin:«Xq7vTr2k» https://h
sshpass -p «Xq7vTr2k» ssh root@h
sshpass -p'«Xq7v Tr2k»' ssh root@h
plink -pw «Xq7vTr2k» root@h
ldapsearch -x -D cn=a -w «Xq7vTr2k» -b dc=b
smbclient //h/s -U 'user%«Xq7vTr2k»'
net use Z: '\\h\s' «Xq7vTr2k» /user:dom\u
xfreerdp /v:h /u:a /p:«Xq7vTr2k»
ipmitool -H h -U a -P «Xq7vTr2k» power status
htpasswd -b /etc/htpasswd anna «Xq7vTr2k»
htpasswd -nbB anna «Xq7vTr2k»
useradd -m -p '«$6$a1b2c3d4$Xq7vTr2kLm9wZb3cXq7vTr2k»' anna
echo 'anna:«Xq7vTr2k»' | chpasswd
chpasswd <<< "anna:«Xq7vTr2k»"
echo «Xq7vTr2k» | passwd --stdin anna
echo -e "«Xq7vTr2k»" | sudo -S apt update
printf '%s\n' «Xq7vTr2k» | docker login -u a --password-stdin
docker login registry.example.com -u a -p «Xq7vTr2k»
docker run -e POSTGRES_PASSWORD=«Xq7vTr2k» -d postgres
docker build --build-arg NPM_TOKEN=«Xq7vTr2kLm9wZb3c» .
podman login --username a --password «Xq7vTr2k» h
helm registry login h -u a -p «Xq7vTr2k»
helm upgrade x ./c --set auth.password=«Xq7vTr2k»,replicas=2
kubectl create secret generic db --from-literal=password=«Xq7vTr2k» --from-literal=user=app
kubectl create secret generic db --from-literal=api-key='«Xq7v Tr2k»'
kubectl --token=«Xq7vTr2kLm9wZb3c» get pods
oc login https://h -u a -p «Xq7vTr2k»
aws configure set aws_session_token «Xq7vTr2kLm9wZb3cXq7vTr2k»
aws secretsmanager create-secret --name db --secret-string '«Xq7vTr2k»'
aws rds modify-db-instance --db-instance-identifier d --master-user-password «Xq7vTr2k»
aws iam create-login-profile --user-name a --password '«Xq7v&Tr2k»'
az keyvault secret set --vault-name v --name n --value «Xq7vTr2k»
az sql server create -n s -u a -p '«Xq7vTr2k»'
gcloud sql users set-password a --instance=i --password=«Xq7vTr2k»
export AWS_SECRET_ACCESS_KEY=«Xq7vTr2kLm9wZb3cXq7vTr2kLm9wZb3cXq7vTr2k»
heroku config:set DATABASE_PASSWORD=«Xq7vTr2k» -a x
fly secrets set SESSION_SECRET=«Xq7vTr2kLm9w»
doctl auth init -t «dop_v1_f0a1b2c3d4e5f60718293a4b5c6d7e8ff0a1b2c3d4e5f60718293a4b5c6d7e8f»
npm config set //npm.example.com/:_authToken=«Xq7vTr2kLm9wZb3c»
npm config set //npm.example.com/:_authToken «Xq7vTr2kLm9wZb3c»
echo "//registry.npmjs.org/:_authToken=«npm_a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8»" > ~/.npmrc
pip install --index-url https://ci:«Xq7vTr2k»@pypi.example.com/simple x
poetry config pypi-token.pypi «Xq7vTr2kLm9wZb3c»
twine upload -u a -p «Xq7vTr2k» dist/x.whl
cargo publish --token «Xq7vTr2kLm9wZb3cXq7vTr2k»
dotnet nuget push x.nupkg -k «Xq7vTr2kLm9w» -s https://h
mvn deploy -Drepo.password=«Xq7vTr2k»
gradle publish -PsigningPassword=«Xq7vTr2k»
java -Djavax.net.ssl.keyStorePassword=«Xq7vTr2k» -jar a.jar
git clone https://«ghp_a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8»@github.com/a/b
git clone https://oauth2:«Xq7vTr2kLm9w»@gitlab.example.com/a/b.git
git -c http.extraHeader="Authorization: Basic «Xq7vTr2kLm9wZb3c»" fetch
gh secret set DEPLOY -b «Xq7vTr2k»
echo "machine h login u password «Xq7vTr2k»" >> ~/.netrc
openssl rsa -in k.pem -passin pass:«Xq7vTr2k»
openssl enc -aes-256-cbc -k «Xq7vTr2k» -in a
openssl req -x509 -passout pass:'«Xq7v Tr2k»' -out a
gpg --batch --passphrase «Xq7vTr2k» -d a.gpg
zip -P «Xq7vTr2k» a.zip b
7z x a.7z -p«Xq7vTr2k»
keytool -list -keystore a.jks -storepass «Xq7vTr2k»
ssh-keygen -t ed25519 -N '«Xq7v Tr2k»' -f k
cryptsetup luksOpen /dev/sda1 x <<< «Xq7vTr2k»
nmcli dev wifi connect net password «Xq7vTr2k»
wpa_passphrase net «Xq7vTr2k»
restic -r s3:x backup / ; RESTIC_PASSWORD=«Xq7vTr2k» restic check
rclone config create x s3 secret_access_key «Xq7vTr2kLm9wZb3cXq7v»
ansible-playbook s.yml -e "db_password=«Xq7vTr2k»"
ansible-playbook s.yml -e '{"db_password": "«Xq7vTr2k»"}'
terraform apply -var="db_password=«Xq7vTr2k»"
vault login «hvs.CAESIXq7vTr2kLm9wZb3cXq7vTr2kLm9w»
vault kv put secret/x password=«Xq7vTr2k»
consul acl set-agent-token -token=«0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0» agent x
ngrok config add-authtoken «2Xq7vTr2kLm9wZb3cXq7vTr2kLm9»
cloudflared tunnel run --token «eyJhIjoiMTIzIiwidCI6IjQ1NiIsInMiOiI3ODkifQ»
echo «Xq7vTr2kLm9wZb3cXq7vTr2kLm9wZb3cXq7vTr2kLm8=» | wg pubkey
sentry-cli --auth-token «Xq7vTr2kLm9wZb3cXq7v» releases list
OPENAI_API_KEY=«sk-proj-a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8» python3 x.py
export ANTHROPIC_API_KEY="«sk-ant-api03-a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8»"
HF_TOKEN=«hf_a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7» huggingface-cli download x
sendmail -f a --smtp-pass=«Xq7vTr2k» b@example.org
python3 manage.py shell -c "User.objects.create_user('a', password='«Xq7vTr2k»')"
node -e "const token = '«Xq7vTr2kLm9w»'"
cat > .env <<'EOF'⏎API_KEY=«Xq7vTr2kLm9wZb3c»⏎DEBUG=1⏎EOF
tee /etc/app.yml <<EOF⏎db:⏎  password: "«Xq7vTr2k»"⏎EOF
docker run -e "DATABASE_URL=postgres://app:«Xq7vTr2k»@db/x" x
mount -t cifs //h/s /m -o user=a,pass=«Xq7vTr2k»,ro
sed -i 's/^DB_PASSWORD=.*/DB_PASSWORD=«Xq7vTr2k»/' .env
snmpwalk -v3 -u a -A «Xq7vTr2k» -X «Wb3cDf5g» h
kinit anna <<< «Xq7vTr2k»
env 'API_TOKEN=«Xq7vTr2kLm9w»' ./run
setx API_TOKEN «Xq7vTr2kLm9w»
jf rt u x y --password «Xq7vTr2k»
pg_restore -d "postgresql://u:«Xq7v%40Tr2k»@h:5432/d?sslmode=require" x
bw unlock «Xq7vTr2k»
gitlab-runner register --registration-token «GR1348941a1B2c3D4e5F6g7H8i9J0»
steamcmd +login anna «Xq7vTr2k» +quit
snmpwalk -v2c -c «granite072ro» 10.0.0.1 sysDescr
snmpget -v 1 -c «wintergarden» sw1 ifTable
snmpset -v2c -c «Xq7vTr2k» sw1 x i 1
export STRIPE_SECRET_KEY=«sk_test_51HxAbCdEfGhIjKlMnOpQrSt»
sed -i 's/@@DB_PASSWORD@@/«Xq7vTr2kLm»/' config.tmpl
export SIGNING_KEY=«Xq7vTr2kLm9wZb3c»
"#;

/// Lines that hold no secret.
const HARMLESS: &str = r#"
git show 5a125ab7246fd57addb9224a059699399b5c24be
docker run --rm -p 8080:80 -v /a:/b nginx@sha256:4cec3785355770674a968a275dd241e20828371922829300e7e9e3d6e01a5682
psql -p 5432 -h db -U app
sed -i 's/{{DB_PASSWORD}}/@@DB_PASSWORD@@/' config.tmpl
sed -i 's|%API_TOKEN%|__API_TOKEN__|' x.ini
sed 's/__DB_SECRET__/<your-secret>/' x
export DB_PASSWORD=@@DB_PASSWORD@@ API_TOKEN=__api_token__
echo "token: ##TOKEN##" > x.yml
curl -H "Authorization: Bearer @TOKEN@" https://h/x
aws s3api get-object --bucket b --key assets/app.526602db7604d25ad46889b8d47b1cef.js app.js
aws s3api head-object --bucket b --key 7f3e9c1a/5d2b8f60a4e14c7d.tar.gz
aws s3api put-object --bucket b --key builds/a1B2c3D4e5F6g7H8i9J0 --body x
export STRIPE_PUBLISHABLE_KEY=pk_test_51HxPublic STRIPE_PRICE=price_1PqZr2LkdIwHu7ixT4
NEXT_PUBLIC_STRIPE_KEY=pk_live_51HxAbCdEfGhIjKlMnOp npm run build
STRIPE_PUBLIC_KEY=pk_live_51HxAbCdEfGhIjKlMnOp npm run build
export CLERK_PUBLISHABLE_KEY=Xq7vTr2kLm9w
SUPABASE_KEY=sb_publishable_a1B2c3D4e5F6g7H8 npm start
snmpwalk -v2c -c public 10.0.0.1
mysql -u root -p
mysql -P 3306 -h db
redis-cli -h cache -p 6379
ssh -p 2222 host
mkdir -p /srv/a
sshpass -f /run/secrets/pw ssh h
curl -u "$USER:$PASS" https://h
curl -H "Authorization: Bearer $TOKEN" https://h
curl -u deploy https://h
curl -b cookies.txt https://h
curl -H 'Content-Type: application/json' -d '{"id":"60ccb24e-5fc9-403d-814b-9c6aee69dee0"}' https://h
export DB_PASSWORD="$(pass show db)"
kubectl get secret db -o jsonpath='{.data.password}'
kubectl create secret tls web --cert=a.crt --key=a.key
kubectl create secret generic db --from-file=password=./pw.txt
docker service create --secret db_password x
aws secretsmanager get-secret-value --secret-id prod/db
aws s3 cp --sse-kms-key-id 60ccb24e-5fc9-403d-814b-9c6aee69dee0 a s3://b
aws s3api list-objects --starting-token eyJDb250aW51YXRpb25Ub2tlbiI6IG51bGx9
gh auth token
gh secret set X < x.txt
vault kv get -field=password secret/x
openssl rand -hex 32
openssl rsa -passin file:/run/k -in a
gpg --recv-keys 0538DE07BBF7D428C76AFC579019AF5836411D6C
ssh-keygen -t ed25519 -N '' -f k
passwd -l anna
pass show x/y
sudo -u postgres psql
echo "password: ********"
grep -r 'password' src/
grep -rn "api_key=" .
rg 'token\s*=' --glob '*.rs'
pytest -k test_token_refresh
cargo test password_reset
cat /etc/passwd
id_token=$(cat t)
python3 -c "import os; print(os.environ['API_KEY'])"
helm install x y --set existingSecret=db-credentials
helm install x y --set auth.existingSecretPasswordKey=password
terraform apply -var 'secret_name=prod/db'
ansible-playbook s.yml --ask-vault-pass --vault-password-file ~/.v
docker login -u a --password-stdin h
sort -t: -k2 a
tokens=100 ./run --max-tokens 4096
npm audit --registry https://registry.npmjs.org
ssh-add ~/.ssh/id_ed25519
echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIeC1ksYT1Ior0p9DlMM120mijeTk5YUaKt0CBE0CM3J a@b" >> authorized_keys
find . -name '*.key' -print
sha256sum -c <<< "d7cbdb58110aaf1f25a1517c6326708adc60999744ea4555a17b72c43b1fc060  x"
echo aGVsbG8gd29ybGQhIGhvdyBhcmUgeW91 | base64 -d
journalctl -u ssh --since 2026-11-20 _BOOT_ID=ce3f4902c55346d8990fd0ea329f23c8
curl -H 'If-None-Match: "baddd009fb2a08bf5f98fdea263f0572"' https://h
git log --author=a@example.org -p
rsync -aP a/ h:b/
useradd -m -s /bin/bash anna
ps -p 4312 -o pid
ip link set dev wg0 up
jq '.token' a.json
PASSWORD= ./run
export KEYBOARD=us AUTHOR=anna MONKEY=1
AUTH_METHOD=oidc SECRET_BACKEND=vault TOKEN_URL=https://h/oauth ./run
git config --global credential.helper store
git config user.signingkey 0538DE07BBF7D428
kubectl annotate pod x key=value
curl "https://h/?key=name&page=2"
curl https://h/reset-password?user=anna
docker run -e TZ=UTC -e NODE_ENV=production x
make -j8 KEY_PATH=/etc/k
yarn add password-generator@1.2.3
apt install libpam-pwquality
mysql -e "select password from users limit 1"
mysql -e "CREATE USER 'a'@'%' IDENTIFIED WITH auth_socket"
nmcli con show --active
wg show wg0 public-key
oathtool --version
unzip -p a.zip b
tar -cpf a b
cqlsh h 9042
zip -r a.zip b
sed -n '/token/p' a
awk -F: '{print $1}' /etc/shadow
echo $PASSWORD | sudo -S true
echo "$GH_TOKEN" | gh auth login --with-token
cat token.txt | docker login --password-stdin
base64 <<< user:pass
"#;

fn lines(table: &str) -> impl Iterator<Item = String> + '_ {
    table.lines().filter(|l| !l.is_empty()).map(|l| l.replace('⏎', "\n"))
}

#[test]
fn secrets_of_many_programs_are_cut_out() {
    let missed: Vec<String> = lines(SECRETS)
        .filter_map(|wanted| {
            let made = marked(&wanted.replace(['«', '»'], ""));
            (made != wanted).then(|| format!("{wanted}\n  -> {made}"))
        })
        .collect();
    assert!(missed.is_empty(), "{} wrong:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn harmless_lines_stay() {
    let touched: Vec<String> = lines(HARMLESS).map(|line| marked(&line)).filter(|made| made.contains('«')).collect();
    assert!(touched.is_empty(), "{}", touched.join("\n"));
}
