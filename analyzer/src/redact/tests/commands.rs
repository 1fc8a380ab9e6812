use super::*;

#[test]
fn passwords_in_statements_are_removed() {
    hides("CREATE USER 'shop'@'%' IDENTIFIED BY '‹hunter›';");
    hides("ALTER USER shop IDENTIFIED WITH mysql_native_password BY '‹hunter›'");
    hides("alter user shop identified by ‹hunter›;");
    hides("near 'IDENTIFIED BY '‹hunter›'' at line 1");
    hides("CREATE ROLE shop WITH LOGIN PASSWORD '‹hunter›' VALID UNTIL 'infinity'");
    hides("alter role shop encrypted password '‹hunter›'");
    hides("SET PASSWORD FOR 'shop' = PASSWORD('‹hunter›')");
    hides(r#"{"query":"ALTER ROLE shop PASSWORD '‹it''s›'","ms":1}"#);
    hides("CREATE LOGIN shop WITH PASSWORD = '‹hunter›'");
    hides("CONFIG SET requirepass ‹hunter›");
    stays("the resource identified by 'web-1' was not found");
    stays("password for user 'shop' is wrong");
    stays("ALTER ROLE shop PASSWORD NULL");
}

#[test]
fn passwords_of_commands_are_removed() {
    hides("docker login -u shop -p ‹hunter› registry.internal");
    hides("docker login --username shop --password ‹hunter› registry.internal");
    hides("docker login --username shop --password=‹hunter› registry.internal");
    hides("[\"docker\",\"login\",\"-u\",\"shop\",\"-p\",\"‹hunter›\"]");
    hides(r#"{"msg":"+ docker login -u shop -p \"‹hun ter›\" registry.internal"}"#);
    hides("mysql -h db -u root -p‹hunter› shop");
    hides("mysqldump -uroot -p'‹hun ter›' shop");
    hides("mysql --password=‹hunter› -h db");
    hides("PGPASSWORD=‹hunter› psql -h db");
    hides("sshpass -p ‹hunter› ssh db");
    hides("redis-cli -h cache -a ‹hunter› ping");
    hides("redis-server --requirepass ‹hunter› --port 6379");
    hides("curl -u shop:‹hunter› https://registry.internal/v2/");
    hides("curl -fsSL --user shop:‹hunter› https://registry.internal/v2/");
    hides("curl -fsSLu 'shop:‹hun:ter›' https://registry.internal/v2/");
    hides("curl -ushop:‹hunter› https://registry.internal/v2/");
    hides("curl --user=\"shop:‹hunter›\" https://registry.internal/v2/");
    hides("curl -H 'X-Api-Key: ‹hunter›' https://registry.internal/");
    hides("curl -H X-Api-Key:‹hunter› https://registry.internal/");
    hides("run [\"--token\", \"‹hunter›\"]");
    hides("machine db.internal login shop password ‹hunter›");
    hides("deploy --token ‹0a1b2c3d› --stage prod");
    hides("login --password ‹hunter22›");
    hides("run --auth-token ‹0a1b2c3d›");
    hides("run --api-key '‹0a1b 2c3d›'");
    hides("keytool -storepass ‹hunter› -list");
}

#[test]
fn commands_without_passwords_stay() {
    for text in [
        "docker login --username AWS --password-stdin",
        "aws ecr get-login-password | docker login --username AWS --password-stdin 1.dkr.ecr.eu-west-1.amazonaws.com",
        "WARNING! Using --password via the CLI is insecure. Use --password-stdin.",
        "docker login -u shop -p \"$PASSWORD\" registry.internal",
        "docker login -u shop -p *** registry.internal",
        "unknown flag: --token",
        "--token --verbose",
        "mkdir -p /app/data",
        "docker run -p 8080:80 web",
        "docker run --name mysql -p 3306:3306 mysql:8",
        "docker run --name mysql -p3306:3306 mysql:8",
        "mysql -h db -u root -p shop",
        "curl -u shop https://registry.internal/v2/",
        "curl -u \"$USER:$PASS\" https://registry.internal/v2/",
        "curl x && docker run -u 1000:1000 web",
        "docker run --user 1000:1000 web",
        "psql --no-password -h db",
        "docker build --secret id=npm,src=.npmrc .",
        "option --password requires an argument",
    ] {
        stays(text);
    }
}

#[test]
fn settings_that_commands_set_are_removed() {
    check(
        "+ aws configure set aws_secret_access_key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "+ aws configure set aws_secret_access_key [redacted:password]",
    );
    hides(
        "Error: aws configure set aws_secret_access_key ‹wJalrXUtnFEMI/K7MDENG/bPxRfiCYzZx9Qm4vT7› failed with exit code 1",
    );
    hides("aws configure set --profile prod aws_session_token ‹IQoJb3JpZ2luX2VjZx9Qm4vT7kLp2Rw8›");
    hides("npm config set //npm.internal/:_authToken ‹hunter22x›");
    hides("npm config set //npm.internal/:_password \"‹hunter›\"");
    hides("gh secret set X --body ‹hunter›");
    hides("gh secret set X --body=\"‹hun ter›\" --env prod");
    hides("gh secret set X -b ‹hunter› --env prod");
    hides("echo \"root:‹Pa55w0rd›\" | chpasswd");
    hides("echo 'root:‹Pa55w0rd›' | sudo chpasswd");
    hides("printf '%s\\n' 'app:‹hunter›' | /usr/sbin/chpasswd -e");
    hides("echo ‹hunter› | docker login -u shop --password-stdin registry.internal");
    hides("echo \"‹hun ter›\" | gh auth login --with-token");
    hides("htpasswd -b /etc/nginx/.htpasswd admin ‹hunter›");
    hides("htpasswd -bc f admin ‹hunter›");
    hides("htpasswd -nbB admin ‹hunter› > f");
    hides("unzip -P ‹hunter› x.zip");
    hides("zip -r -P ‹hunter› x.zip folder");
    hides("openssl rsa -passin pass:‹hunter› -in k");
    hides("rabbitmqctl add_user app ‹hunter›");
    hides("nats --creds ‹app:hunter› sub x");
    hides("serve --basic-auth app:‹hunter› --port 80");
    hides("BASIC_AUTH=app:‹hunter›");
    hides("TRAEFIK_BASIC_AUTH=app:‹hunter›");
    hides("DB_CREDS=‹app:hunter›");
    for text in [
        "you must set DB_PASSWORD before the service starts",
        "aws configure set region eu-west-1",
        "npm config set registry https://registry.internal/",
        "echo \"$TOKEN\" | docker login -u shop --password-stdin",
        "echo done | tee log",
        "unzip -o x.zip -d P",
        "cap -P 3 | zip x",
        "serve --auth none --port 80",
        "SET PASSWORD FOR 'app'@'%' = NULL",
        "basic_auth: enabled",
        "HTTP_AUTH=none",
        "PROXY_AUTH=http://proxy.internal:3128",
    ] {
        stays(text);
    }
}

#[test]
fn statements_that_set_or_insert_a_password_lose_it() {
    hides("SET PASSWORD FOR 'app'@'%' = '‹hunter›'");
    hides("set password for app = password('‹hunter›');");
    hides("SET PASSWORD = '‹hunter›'");
    hides("CREATE USER app IDENTIFIED BY \"‹hunter›\"");
    hides("INSERT INTO users (email, password) VALUES ('a@b.internal', '‹hunter›')");
    hides("INSERT INTO users (email, `password`, age) VALUES ('a', '‹hunter›', 3), ('b', '‹hunter2›', 4);");
    hides("insert into \"users\" (\"password\", \"email\") values ('‹it''s›', now())");
    hides(
        "[SQL: INSERT INTO users (email, password) VALUES (%s, %s)]\n[parameters: ('a@b.internal', '‹hunter›')]",
    );
    hides(
        "[SQL: INSERT INTO users (email, password) VALUES (?, ?)] [parameters: [('a', '‹x1›'), ('b', '‹x2›')]]",
    );
    hides("Key (email, api_token)=(a@b.internal, ‹0a1b2c›) already exists.");
    stays("INSERT INTO users (email, password) VALUES ($1, $2)");
    stays("INSERT INTO users (email, password) VALUES (?, ?)");
    stays("function login(user, password) called (from 'main')");
    stays("null value in column \"password\" of relation \"users\" (id, password) violates");
}

#[test]
fn what_functions_were_given_is_removed() {
    hides("#0 /var/www/db.php(3): PDO->__construct('mysql:host=db;db...', 'root', '‹hunter›')");
    hides("#0 db.php(3): PDO->__construct('mysql:host=db', 'root', '‹Zx9Qm4vT7kLp2Rw...›', Array)");
    hides("#0 /var/www/db.php(3): mysqli_connect('db.internal', 'root', '‹hunter2pass›', 'app')");
    hides("#1 db.php(3): mysqli->__construct('db', 'root', '‹hunter›', 'app', 3306)");
    hides("#1 db.php(3): mysqli->real_connect('db', 'root', '‹hunter›')");
    hides("#1 db.php(3): mysqli_real_connect(Object(mysqli), 'db', 'root', '‹hunter›', NULL)");
    hides("#1 db.php(3): mysql_connect('db', 'root', '‹hunter›')");
    hides("#0 cache.php(9): Redis->auth('‹hunter›')");
    hides("DriverManager.getConnection(\"jdbc:mysql://db/x\", \"root\", \"‹hunter›\")");
    stays("#0 db.php(3): PDO->__construct('mysql:host=db', 'root', Object(SensitiveParameterValue))");
    stays("#0 db.php(3): PDO->query('SELECT a, b', 'x', 'y')");
    stays("#0 db.php(3): PDO->__construct('mysql:host=db', 'root', NULL)");
}
